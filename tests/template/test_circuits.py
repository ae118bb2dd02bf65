from __future__ import annotations

import re
from typing import Any

import pytest

from tests.template.document import FUNCTIONS, PARAMETERS, RESOURCES, ROLES, TEMPLATE, each, target
from tests.template.permissions import Grant, actions_on, grants_of, statements
from tests.template.recover import SWITCH_ARN, VARIABLES

TABLE: dict[str, Any] = RESOURCES["CircuitsTable"]["Properties"]
WORKERS = ["ProcessFunction", "ProcessOrderedFunction"]
ADDRESSES = ["PaymentUrl", "PaymentBackupUrl"]


class TestTable:
    def test_is_keyed_as_powertools_keys_it(self) -> None:
        assert TABLE["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
        assert TABLE["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]

    def test_forgets_what_nobody_needs_any_more(self) -> None:
        assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}
        assert TABLE["BillingMode"] == "PAY_PER_REQUEST"

    def test_says_why_no_backup_of_it_is_kept(self) -> None:
        (skip,) = [
            one for one in RESOURCES["CircuitsTable"]["Metadata"]["checkov"]["skip"] if one["id"] == "CKV_AWS_28"
        ]
        assert skip["comment"]
        assert "PointInTimeRecoverySpecification" not in TABLE


@each(WORKERS)
class TestWorkers:
    def test_each_knows_the_circuits_and_what_recovery_may_do(self, name: str) -> None:
        variables = FUNCTIONS[name]["Environment"]["Variables"]
        assert variables["CIRCUITS_TABLE"] == {"Ref": "CircuitsTable"}
        assert variables["RECOVERY_MODE"] == {"Ref": "RecoveryMode"}

    def test_each_changes_the_circuits_that_it_names_and_replaces_none(self, name: str) -> None:
        """A scan would read those of others, too; and whoever puts an item anew forgets what others wrote into it."""
        allowed = {"dynamodb:GetItem", "dynamodb:UpdateItem"}
        assert actions_on(target(FUNCTIONS[name]["Role"]), "CircuitsTable") == allowed

    def test_none_pauses_itself(self, name: str) -> None:
        role = target(FUNCTIONS[name]["Role"])
        assert not grants_of(role, "lambda")
        assert not actions_on(role, "RecoveryLogTable")


class TestSample:
    VARIABLES = FUNCTIONS["ProcessFunction"]["Environment"]["Variables"]

    def test_is_told_where_to_charge(self) -> None:
        assert self.VARIABLES["PAYMENT_URL"] == {"Ref": "PaymentUrl"}
        assert self.VARIABLES["PAYMENT_BACKUP_URL"] == {"Ref": "PaymentBackupUrl"}
        assert self.VARIABLES["PAYMENT_SWITCH"] == {"Fn::If": ["HasPaymentBackup", {"Ref": "PaymentSwitch"}, ""]}

    def test_charges_nowhere_unless_somebody_says_so(self) -> None:
        assert [PARAMETERS[name]["Default"] for name in ADDRESSES] == ["", ""]

    def test_reads_the_switch_where_there_is_one_and_never_turns_it(self) -> None:
        assert grants_of("ProcessRole", "ssm") == {Grant("ssm:GetParameter", SWITCH_ARN)}
        (handler,) = [one for one in ROLES["ProcessRole"]["Policies"] if one.get("PolicyName") == "Handler"]
        (reading,) = [one["Fn::If"] for one in handler["PolicyDocument"]["Statement"] if "Fn::If" in one]
        assert (reading[0], reading[2]) == ("HasPaymentBackup", {"Ref": "AWS::NoValue"})
        assert reading[1] in statements("ProcessRole")

    @pytest.mark.parametrize(
        ("address", "is_allowed"),
        [
            ("", True),
            ("https://pay.example.com/v1", True),
            ("http://127.0.0.1:4570", True),
            ("https://user:password@pay.example.com", False),
            ("pay.example.com", False),
            ("ftp://pay.example.com", False),
        ],
    )
    @each(ADDRESSES)
    def test_a_gateway_is_named_without_a_password(self, name: str, address: str, is_allowed: bool) -> None:
        """Whoever may look at the function reads it."""
        assert (re.fullmatch(PARAMETERS[name]["AllowedPattern"], address) is not None) is is_allowed


class TestSwitch:
    SWITCH = RESOURCES["PaymentSwitch"]

    def test_is_there_only_with_a_backup(self) -> None:
        assert TEMPLATE["Conditions"]["HasPaymentBackup"] == {
            "Fn::Not": [{"Fn::Equals": [{"Ref": "PaymentBackupUrl"}, ""]}]
        }
        assert self.SWITCH["Condition"] == "HasPaymentBackup"
        assert PARAMETERS["PaymentBackupUrl"]["Default"] == ""

    def test_begins_with_the_primary_and_is_not_turned_back_by_a_deployment(self) -> None:
        """CloudFormation writes what changed in the template: a value that no parameter reaches does not change."""
        assert self.SWITCH["Properties"]["Value"] == "primary"

    def test_recovery_knows_it_by_its_circuit(self) -> None:
        assert VARIABLES["SWITCHES"] == {"Fn::If": ["HasPaymentBackup", {"Fn::Sub": "payments=${PaymentSwitch}"}, ""]}
