"""The suite `openai`: all is well with a server that is right, and each fault is found by the checks for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.patience import PATIENCE_S
from tests.unit.conformance.toy_server import ToyServer, running
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.conformance import suite
from glassworks.conformance.openai import checks
from glassworks.conformance.openai.client import Client
from glassworks.errors import ServingError, Unauthenticated

KEY = "sk-toy"
NOT_OFFERED = {"O2.picture"}
"""What the toy server refuses by name."""

REFUSED = {check.id for check in suite.found(checks) if check.id.startswith("O4.")}

FAULTS: Mapping[str, str] = {
    # The complaints, by their number.
    "leaks stop strings": "O5.stop",
    "loses what was kept back": "O5.almost_a_stop",
    "stops by tokens": "O3.stop O3.stop_of_four O5.stop O7.stop",
    "stop string stays": "O3.stop O3.stop_of_four O5.stop O7.stop",
    "streams other arguments": "O9.streamed",
    "markup in the text": "O9.no_markup",
    "an end in each part": "O5.one_finish_reason O5.stop O5.n O5.any_bytes",
    "no end": "O5.one_finish_reason O5.stop O5.n O5.any_bytes",
    "stop at calls": "O9.required O9.streamed",
    "breaks characters": "O5.no_broken_character",
    "ends at invalid bytes": "O5.any_bytes O5.no_broken_character",
    "streams go on": "O5.a_hang_up_ends_a_stream",
    "whole answers go on": "O5.a_hang_up_ends_an_answer",
    "runs blanks": "O8.blanks_are_bounded O8.object",
    "drops broken schemas": "O8.broken_schema",
    "alternatives by text": "O6.alternatives O6.bytes_are_those_of_the_token O6.hot_tokens O6.numbers_can_be_true",
    "legacy shape": (
        "O6.alternatives O6.bytes_are_those_of_the_token O6.greedy_is_the_likeliest O6.hot_tokens "
        "O6.none_where_not_asked_for O6.numbers_can_be_true O6.streamed O6.tokens_join_to_the_text "
        "O6.zero_alternatives"
    ),
    "echoes no log-probabilities": (
        "O7.echo_of_lists_of_tokens O7.echo_scores_as_it_generates "
        "O7.echo_with_logprobs_covers_the_prompt O7.text_offsets"
    ),
    "ignores prompt_logprobs": "O7.prompt_logprobs",
    "templates crash": "O2.template_errors_are_the_callers",
    "cuts prompts": (
        "O4.prompt_longer_than_the_context O4.prompt_longer_than_the_context_in_a_stream "
        "O7.prompt_longer_than_the_context"
    ),
    "no code for long prompts": "O4.prompt_longer_than_the_context O4.prompt_longer_than_the_context_in_a_stream",
    "ignores base64": "O10.base64",
    "one cache for all models": "O1.models_do_not_share_a_cache",
    "adapters fall back": "O1.unknown_adapter_does_not_answer",
    "counts the prompt for each choice": "O2.usage_counts_each_token_once",
    "counts three tokens": "O2.usage_equals_the_tokenizer O7.usage_equals_the_tokenizer O14.ids",
    "cached tokens in streams only": "O5.usage_where_asked_for",
    "depends on neighbors": "O3.greedy_repeats_cold_warm_and_beside_others",
    "no sequence numbers": "O12.events_are_numbered",
    "leaves events out": "O12.events_are_complete O12.events_are_numbered",
    "few fields": "O12.fields",
    # The list.
    "ids twice": "O1.list",
    "retrieves none": "O1.retrieve",
    "shut down some day": "O1.every_listed_model_is_known O1.retrieve O1.shutdown_date",
    "lists what is not there": "O1.every_listed_model_is_known O1.retrieve",
    "no code for unknown models": "O1.unknown_model_is_not_retrieved",
    "any model answers": "O1.unknown_model_does_not_answer O1.unknown_adapter_does_not_answer",
    "takes any model": "O1.no_model",
    "another object": "O2.answer",
    "one id": "O2.ids_differ",
    "adds up wrongly": "O2.usage_adds_up",
    "drops system messages": "O2.system_message",
    "reads the last message only": "O2.all_turns_are_read O2.system_message",
    "glues parts": "O2.content_in_parts",
    "drops unknown parts": "O2.unknown_part O2.picture",
    "reads control tokens": "O2.special_tokens_stay_text",
    "crashes at surrogates": "O2.lone_surrogates",
    "user changes answers": "O2.metadata_is_taken",
    "never greedy": (
        "O3.almost_a_stop O3.greedy_repeats O3.greedy_repeats_cold_warm_and_beside_others "
        "O3.max_completion_tokens O3.max_tokens O3.n O3.small_top_p_is_greedy O3.stop O3.stop_of_four"
    ),
    "ignores seed": "O3.seed",
    "one seed": "O3.seed",
    "ignores top_p": "O3.small_top_p_is_greedy",
    "one token more": "O3.max_tokens O3.max_completion_tokens",
    "max_completion_tokens": "O3.max_completion_tokens",
    "ignores n": "O3.n O5.n",
    "ignores logit_bias": "O3.frequency_penalty O3.logit_bias_bans O3.logit_bias_forces",
    "ignores frequency_penalty": "O3.frequency_penalty",
    "errors in another shape": " ".join(REFUSED - {"O4.body_over_the_limit"}),
    "codes are numbers": (
        "O4.envelope O4.prompt_longer_than_the_context O4.prompt_longer_than_the_context_in_a_stream"
    ),
    "reads any body": "O4.body_over_the_limit",
    "refuses within the stream": "O4.refused_before_a_stream O4.prompt_longer_than_the_context_in_a_stream",
    "another content type": "O5.headers",
    "ids by the chunk": "O5.chunks",
    "no role": "O5.first_delta_has_the_role",
    "DONE twice": "O5.done_once_and_last O7.stream",
    "no DONE": "O5.done_once_and_last O7.stream",
    "streams in capitals": (
        "O12.deltas_are_the_whole O5.almost_a_stop O5.any_bytes O5.n O5.no_broken_character "
        "O5.parts_are_the_whole O5.stop O7.stop O7.stream"
    ),
    "usage unasked": "O5.usage_only_where_asked_for",
    "one burst": "O5.comes_over_time",
    "ignores logprobs": (
        "O6.alternatives O6.bytes_are_those_of_the_token O6.greedy_is_the_likeliest O6.hot_tokens "
        "O6.none_where_not_asked_for O6.numbers_can_be_true O6.streamed O6.tokens_join_to_the_text "
        "O6.zero_alternatives O7.echo_of_lists_of_tokens O7.echo_scores_as_it_generates "
        "O7.echo_with_logprobs_covers_the_prompt O7.logprobs O7.text_offsets"
    ),
    "loses a token": "O6.greedy_is_the_likeliest O6.streamed O6.tokens_join_to_the_text",
    "bytes of another token": "O6.alternatives O6.bytes_are_those_of_the_token O6.tokens_join_to_the_text",
    "probabilities above 1": "O6.numbers_can_be_true",
    "alternatives upside down": "O6.alternatives",
    "always one alternative": "O6.zero_alternatives",
    "logprobs unasked": "O6.none_where_not_asked_for",
    "no logprobs in streams": "O6.streamed",
    "hot tokens are the likeliest": "O6.hot_tokens",
    "numbers by the length": "O6.greedy_is_the_likeliest",
    "a chat object": "O7.answer",
    "first prompt only": "O7.list_of_prompts O7.echo_of_lists_of_tokens",
    "counts twice": (
        "O7.echo_with_logprobs_covers_the_prompt O7.prompt_in_tokens O7.prompt_logprobs O7.usage_equals_the_tokenizer"
    ),
    "completions one token more": "O7.greedy_repeats O7.max_tokens",
    "ignores echo": "O7.echo O7.text_offsets",
    "offsets of zero": "O7.text_offsets",
    "scores otherwise": "O7.echo_scores_as_it_generates",
    "completions never greedy": (
        "O7.echo O7.greedy_repeats O7.list_of_prompts O7.logprobs O7.prompt_in_tokens O7.stop O7.stream"
    ),
    "schema does not hold": "O8.blanks_are_bounded O8.schema O8.schema_streamed",
    "never cut by the limit": "O8.schema_cut_by_the_limit",
    "a broken schema clears the queue": "O8.broken_schema_harms_no_neighbor",
    "no schema is any": "O8.no_schema",
    "arguments are no JSON": "O9.forced O9.required",
    "auto is silent": "O9.auto",
    "always calls": "O9.none",
    "shows no tools": "O9.tools_are_read",
    "drops results": "O9.result",
    "takes wrong tools": "O9.forced O9.wrong_tools",
    "not finite": "O10.base64 O10.in_the_order_of_the_texts O10.norms O10.vectors",
    "vectors in another order": "O10.in_the_order_of_the_texts",
    "base64 by default": "O10.floats_by_default",
    "any encoding": "O10.unknown_encoding",
    "ignores dimensions": "O10.dimensions",
    "any dimensions": "O10.wrong_dimensions",
    "counts the first text": "O10.usage",
    "one vector is long": "O10.base64 O10.in_the_order_of_the_texts O10.norms",
    "two vectors for token ids": "O10.token_ids",
    "embeds nothing": "O10.wrong_inputs",
    "cuts texts": "O10.a_text_that_is_too_long",
    "asks for no key": "O11.no_key O11.wrong_key",
    "no request ids": "O11.request_id",
    "more than the limit": "O11.rate_limits",
    "no status": "O12.cut_by_the_limit O12.response",
    "adds a word": "O12.deltas_are_the_whole O12.same_as_chat O12.schema",
    "drops instructions": "O12.instructions",
    "reads no items": "O12.input_in_items O12.wrong_requests",
    "always completed": "O12.cut_by_the_limit",
    "no names of events": "O12.events_are_numbered",
    "ignores text.format": "O12.schema",
    "forgets responses": "O12.unknown_previous_response",
    "takes any role": "O12.wrong_requests",
    "strips files": "O13.file",
    "keeps deleted files": "O13.file",
    "any purpose": "O13.wrong_files",
    "counts wrong lines as done": "O13.batch",
    "another window": "O13.batch_object",
    "passes broken lines": "O13.batch_of_broken_lines",
    "cannot be cancelled": "O13.cancelled_batch",
    "any endpoint": "O13.wrong_batches",
    "no tokens of signs": "O14.any_text",
    "checks nothing": (
        "O4.empty_messages O4.envelope O4.frequency_penalty_above_2 O4.logit_bias_above_100 "
        "O4.logit_bias_of_a_token_too_far O4.logit_bias_of_no_token O4.max_tokens_below_0 "
        "O4.max_tokens_that_is_a_text O4.max_tokens_with_a_fraction O4.n_of_0 O4.n_that_is_a_text "
        "O4.no_messages O4.presence_penalty_below_2 O4.refused_before_a_stream O4.seed_that_is_a_text "
        "O4.stop_that_is_a_number O4.stream_options_alone O4.stream_that_is_a_text "
        "O4.temperature_below_0 O4.temperature_that_is_a_text O4.top_logprobs_alone "
        "O4.top_logprobs_below_0 O4.top_logprobs_of_1000000 O4.top_p_above_1 O4.unknown_parameter "
        "O4.unknown_parameter_elsewhere"
    ),
    "checks no messages": (
        "O4.content_that_is_a_number O4.empty_messages O4.envelope O4.message_that_is_a_text "
        "O4.messages_that_are_a_text O4.no_content O4.no_messages O4.no_role O4.refused_before_a_stream "
        "O4.response_format_text O4.response_format_unknown O4.wrong_role"
    ),
}

SLOW = {"streams go on", "whole answers go on", "reads any body", "one burst"}
"""Faults that are seen by the time that they take."""


@pytest.fixture(scope="module")
def server() -> Iterator[ToyServer]:
    with running(KEY) as found:
        yield found


def client(server: ToyServer, **more: object) -> Client:
    patient = {"url": server.url, "key": KEY, "seconds": PATIENCE_S, "grace": PATIENCE_S, "clock": server.clock}
    return Client(**{**patient, **more})  # type: ignore[arg-type]


def red(server: ToyServer, fault: str, groups: set[str]) -> dict[str, str]:
    """What fails with the fault, and what was seen, of the checks in some groups."""
    server.faults = frozenset({fault})
    server.read.clear()
    server.cleared = False
    selected = [check for check in suite.found(checks) if check.id.partition(".")[0] in groups]
    try:
        outcomes = list(suite.run(client(server, **({"grace": 3.0} if fault in SLOW else {})), selected))
    finally:
        server.faults = frozenset()
    return {each.id: each.seen for each in outcomes if each.result == "failed"}


def test_all_is_well_with_a_server_that_is_right(server: ToyServer) -> None:
    outcomes = list(suite.run(client(server), suite.found(checks)))
    assert [(each.id, each.seen) for each in outcomes if each.result == "failed"] == []
    assert {each.id for each in outcomes if each.result == "not offered"} == NOT_OFFERED


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_checks_that_are_for_it(server: ToyServer, fault: str) -> None:
    expected = set(FAULTS[fault].split())
    found = red(server, fault, {name.partition(".")[0] for name in expected})
    assert set(found) == expected
    assert all(found.values())


def test_each_check_was_seen_to_fail() -> None:
    assert {name for names in FAULTS.values() for name in names.split()} == {check.id for check in suite.found(checks)}


@pytest.mark.parametrize("number", range(1, 17))
def test_each_complaint_has_a_check_that_names_it(number: int) -> None:
    assert [check.id for check in suite.found(checks) if f"(complaint {number})" in check.expects]


def test_each_check_says_what_it_expects_in_a_sentence() -> None:
    for check in suite.found(checks):
        assert len(check.expects.split()) > 2, check.id
        assert re.fullmatch(r"O\d+\.[a-z0-9_]+", check.id)


def test_the_other_suite_has_none_of_these() -> None:
    assert {check.id[0] for check in suite.found()} == {"C"}


def test_the_command_reports_as_text_json_and_junit(server: ToyServer, tmp_path: Path) -> None:
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    arguments = ["conformance", server.url, "--suite", "openai", "--key", KEY]
    server.faults = frozenset({"ids twice"})
    try:
        result = CliRunner().invoke(build(), [*arguments, "--report", str(report), "--junit", str(junit)])
    finally:
        server.faults = frozenset()
    assert result.exit_code == 1
    assert "O1.list" in result.output
    assert "number of different ids: '4' instead of '3'" in result.output
    summary = json.loads(report.read_text())
    assert (summary["model"], summary["totals"]["failed"]) == ("toy", 1)
    (failure,) = ElementTree.parse(junit).iter("failure")
    assert "instead of" in failure.attrib["message"]


def test_who_cannot_be_asked_is_one_error(server: ToyServer) -> None:
    for key, text in ((None, "asks for a key"), ("other", "does not take the key")):
        with pytest.raises(Unauthenticated) as refused:
            client(server, key=key).reach()
        assert text in refused.value.problem
    with pytest.raises(ServingError) as wrong:
        client(server, url=server.url + "/v3").reach()
    assert "/v3/models answers with status 404" in wrong.value.problem
    with pytest.raises(ServingError):
        client(server, url="http://127.0.0.1:9").reach()
    client(server, url=server.url + "/v1/").reach()
