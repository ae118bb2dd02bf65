"""An alert in, SNS's answer out: is it published, is it in doubt, or surely not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from backstop.errors import NotPublished
from backstop.publication import Publication, serialise
from backstop.retry import retry

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

_MAX_SMS: Final = 140


class Topic:
    """The topic that alerts are published to: text for mail, a document for all that are machines."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    @retry(on=NotPublished, attempts=3, wait_initial=0.1, wait_max=1.0)
    def publish(self, publication: Publication) -> bool:
        """Publish an alert; returns False where no answer came, so that the topic may have it or not.

        Raises NotPublished where it surely does not have it, after three tries.
        """
        message = {
            "default": serialise(publication.document),
            "email": publication.text,
            "sms": publication.subject[:_MAX_SMS],
        }
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in publication.attributes.items()
        }
        try:
            self._client.publish(
                TopicArn=self._arn,
                Subject=publication.subject,
                Message=json.dumps(message),
                MessageStructure="json",
                MessageAttributes=attributes,
            )
        except (ReadTimeoutError, ConnectionClosedError):
            return False
        except (ClientError, BotoCoreError) as error:
            response = getattr(error, "response", None) or {}
            code = response.get("Error", {}).get("Code") or error
            raise NotPublished(f"the topic did not take an alert: {code}") from error
        return True
