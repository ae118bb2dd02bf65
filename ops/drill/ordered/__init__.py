"""A drill of the ordered lane: status changes of orders, some of them failing, and an account of their order."""
