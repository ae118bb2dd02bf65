"""What Backstop costs, as ratios against plain code, side by side in one run."""
