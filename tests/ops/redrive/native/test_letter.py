"""What SQS moves arrives whole, and workers take it for redriven."""

from __future__ import annotations

import json

from backstop import TransientError
from backstop.trail import ATTRIBUTE, Trail
from tests.fakes.handler import ScriptedHandler
from tests.support import process_lane


class TestAMovedLetter:
    def test_arrives_whole_and_is_tried_anew_with_its_history(self) -> None:
        with process_lane(ScriptedHandler()) as lane:
            lane.handler.will("a", *[TransientError("down")] * 7, None)
            attributes = {"shop": {"DataType": "String", "StringValue": "north"}}
            lane.send(lane.order("a"), MessageAttributes=attributes, MessageGroupId="tenant")
            lane.run_until_quiet()
            [letter] = lane.dead_letters.messages
            [history] = lane.trails(lane.dead_letters)
            lane.sqs.start_message_move_task(SourceArn=lane.dead_letters.arn, DestinationArn=lane.events.arn)
            [moved] = lane.events.messages
            assert (moved.body, moved.attributes) == (letter.body, letter.attributes)
            assert moved.system["MessageGroupId"] == "tenant"
            lane.deliver()
            [tried] = lane.trails(lane.retries)
            assert (tried["attempt"], tried["group"], tried["reason"]) == (1, history["group"], history["reason"])
            lane.run_until_quiet()
            assert [message.attempt for message in lane.handler.messages] == [1, 2, 3, 4, 5, 6, 1, 2]
            assert lane.handler.finished == {"a": 1}
            assert lane.reports()[-1]["pipeline_event"] == "recovered"

    def test_that_sqs_had_moved_away_goes_on_with_the_attempts_that_are_left(self) -> None:
        with process_lane(ScriptedHandler()) as lane:
            history = Trail(attempt=4, event_id="a", source_queue="shop-events", verdict="retry").serialise()
            kept = {ATTRIBUTE: {"DataType": "String", "StringValue": history}}
            lane.dead_letters.put(json.dumps(lane.order("a")), kept, {})
            lane.sqs.start_message_move_task(SourceArn=lane.dead_letters.arn, DestinationArn=lane.events.arn)
            lane.run_until_quiet()
            assert [message.attempt for message in lane.handler.messages] == [5]
            assert lane.handler.finished == {"a": 1}
