"""LiveCodeBench: contest problems with their dates.

Fields: ``question_content``, ``question_id``, ``starter_code``, ``public_test_cases`` (JSON text),
``private_test_cases`` (JSON text, or the same pickled, packed with zlib and written as base64), ``metadata`` (JSON
text; ``func_name`` for calls), and ``contest_date`` and others, which go into the metadata of the task.

A test has ``input``, ``output`` and ``testtype``: ``stdin``, or ``functional`` with one JSON value a line for the
arguments. Private tests are unpacked without running the pickle: only one that holds a single text is read.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import zlib
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.datasets.contest import PREAMBLE, entry_point
from codegym.tasks.datasets.row import Row, decode_json, unix_newlines
from codegym.tasks.plain_data import describe_value
from codegym.tasks.record import CallCheck, Check, StdinCheck, Task

_MAX_BYTES = 2**30
_TEXT_OPCODES = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
_IDLE_OPCODES = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
_METADATA = ("question_title", "platform", "contest_id", "contest_date", "difficulty")
_STDIN_FORMAT = "Read the input from standard input and write the answer to standard output."
_CALL_FORMAT = "Use the following starter code."


def read(row: Row) -> Task:
    """Return the task of a ``row`` of LiveCodeBench.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    public, private = _public_tests(row), _private_tests(row)
    function = row.mapping("metadata").get("func_name") or ""
    starter = row.text("starter_code", "")
    checks = [_check(test, function) for test in [*public, *private]]
    if not checks:
        raise DatasetError("fields 'public_test_cases', 'private_test_cases': got no tests, wanted at least one")
    is_call = isinstance(checks[0], CallCheck)
    return Task(
        task_id=row.task_id("question_id"),
        prompt=_prompt(row.text("question_content"), starter),
        checks=tuple(checks),
        preamble=PREAMBLE if is_call else "",
        entry_point=entry_point(str(function), starter) if is_call else "",
        comparison="livecodebench",
        metadata=row.metadata(*_METADATA) | {"num_shown": len(public)},
    )


def _prompt(question: str, starter: str) -> str:
    form = f"{_CALL_FORMAT}\n{starter.rstrip()}" if starter else _STDIN_FORMAT
    return f"### Question:\n{question}\n\n### Format: {form}\n\n### Answer:\n"


def _check(test: object, function: str) -> Check:
    names = ("input", "output", "testtype")
    if not isinstance(test, dict) or not all(isinstance(test.get(name), str) for name in names):
        raise DatasetError(
            f"a test: got {describe_value(test)}, wanted an object with the texts input, output and testtype"
        )
    if test["testtype"] == "stdin":
        return StdinCheck(unix_newlines(test["input"]), unix_newlines(test["output"]))
    if test["testtype"] != "functional":
        raise DatasetError(f"a test: testtype: got {test['testtype']!r}, wanted 'stdin' or 'functional'")
    if not function:
        raise DatasetError("field 'metadata': got no func_name, wanted one for the functional tests")
    try:
        arguments = tuple(decode_json(line) for line in test["input"].split("\n"))
        return CallCheck(arguments, decode_json(test["output"]))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"a functional test is not JSON: {error}") from error


def _public_tests(row: Row) -> list[Any]:
    tests = row.data("public_test_cases")
    if not isinstance(tests, list):
        raise row.error("public_test_cases", "a list of tests as JSON text")
    return tests


def _private_tests(row: Row) -> list[Any]:
    field = "private_test_cases"
    tests = row.data(field)
    if isinstance(tests, str) and tests:
        try:
            tests = decode_json(_unpack(tests))
        except (ValueError, RecursionError, zlib.error, binascii.Error) as error:
            raise row.error(field, f"JSON text, plain or packed ({error})") from error
    if isinstance(tests, list):
        return tests
    if not tests:
        return []
    raise row.error(field, "a list of tests as JSON text, plain or packed")


def _unpack(packed: str) -> str | bytes:
    unpacker = zlib.decompressobj()
    pickled = unpacker.decompress(base64.b64decode(packed), _MAX_BYTES)
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError(f"cut short, or more than {_MAX_BYTES} bytes")
    return unpickle_text(pickled)


def unpickle_text(pickled: bytes) -> str | bytes:
    """Return the text in ``pickled``, by reading the opcodes without executing any.

    Raises:
        ValueError: The pickle holds anything but one str or bytes.
    """
    texts = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _TEXT_OPCODES:
            texts.append(argument)
        elif opcode.name not in _IDLE_OPCODES:
            raise ValueError(f"the pickle has the opcode {opcode.name}: it holds more than a text")
    if len(texts) != 1 or not isinstance(texts[0], str | bytes):
        raise ValueError(f"the pickle holds {len(texts)} texts, wanted one")
    return texts[0]
