"""Reading pickles of plain data: lists, tuples, dicts, strings, numbers and arrays of numpy.

A pickle is a program, and what it may do is whatever Python can. So it is not given to Python's
pickle module: its few harmless instructions are followed here, and the first other one ends it.
Nothing is imported and nothing is called. What an instruction says of lengths is compared with the
bytes that are there before any room is taken; no object is hashed, compared or printed, so that no
nesting is too deep.
"""

import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from typing import Any

from vl_core.datasets.interpret.described import NAMES, Array, Name, NotPlainError, Type
from vl_core.errors import DatasetError

MOST_STEPS = 1_000_000  # a few seconds; a record of a thousand tokens takes some ten thousand
MOST_TEXT_BYTES = 16 * 2**20  # of all strings together, which take more room than their bytes
_MOST_INTEGER_BYTES = 8
_MOST_NAME_BYTES = 200  # of a module or of something in it


def loaded(content: memoryview) -> Any:  # noqa: ANN401 whatever the pickle holds
    """What the pickle holds; arrays are `described.Array`.

    Raises DatasetError for a pickle that is damaged, or asks for more than plain data.
    """
    try:
        return _Machine(content).run()
    except NotPlainError as error:
        raise DatasetError(
            f"its pickle holds {error}, and is not opened. Plain data alone is read: arrays of "
            "numbers, lists, dicts, strings and numbers."
        ) from error
    except (IndexError, KeyError, ValueError) as error:
        # A stack or a memory that lacks what is asked for, bytes that are no text.
        raise DatasetError("it is damaged: its pickle cannot be followed.") from error


class _Machine:
    """The stack machine that pickles are written for, with the instructions of plain data."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.place = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what lies under each mark
        self.memory: dict[int, Any] = {}
        self.text_bytes = 0

    def run(self) -> object:
        for _ in range(MOST_STEPS):
            instruction = self.content[self.place]
            self.place += 1
            if instruction == _STOP:
                return self.stack.pop()
            follow = _INSTRUCTIONS.get(instruction)
            if follow is None:
                raise NotPlainError(f"the instruction {_called(instruction)}")
            follow(self)
        raise NotPlainError(f"more than {MOST_STEPS:,} instructions")

    def take(self, count: int) -> memoryview:
        """The next bytes, which stay where they are."""
        end = self.place + count
        if end > len(self.content):
            raise IndexError("beyond the end of the pickle")
        taken = self.content[self.place : end]
        self.place = end
        return taken

    def number(self, form: struct.Struct) -> Any:  # noqa: ANN401 whole or not
        return form.unpack(self.take(form.size))[0]

    def text(self, content: memoryview) -> str:
        self.count_text(len(content))
        return content.tobytes().decode()

    def count_text(self, count: int) -> None:
        self.text_bytes += count
        if self.text_bytes > MOST_TEXT_BYTES:
            raise NotPlainError(f"more than {MOST_TEXT_BYTES // 2**20} MiB of text")

    def since_mark(self) -> list[Any]:
        """All that was put on the stack after the last mark, which is gone with them."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def skip(self, count: int) -> None:
        self.take(count)

    def push(self, value: object) -> None:
        self.stack.append(value)

    def push_number(self, form: struct.Struct) -> None:
        self.push(self.number(form))

    def push_long(self) -> None:
        content = self.take(self.number(_U1))
        if len(content) > _MOST_INTEGER_BYTES:
            raise NotPlainError(f"a number of {len(content)} bytes")
        self.push(int.from_bytes(content, "little", signed=True))

    def push_text(self, length: struct.Struct) -> None:
        self.push(self.text(self.take(self.number(length))))

    def push_bytes(self, length: struct.Struct) -> None:
        self.push(self.take(self.number(length)))

    def push_new(self, make: Callable[[], object]) -> None:
        self.push(make())

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def tuple_of(self, count: int) -> None:
        if count > len(self.stack):
            raise IndexError("an empty stack")
        start = len(self.stack) - count
        self.stack[start:] = [tuple(self.stack[start:])]

    def tuple_since_mark(self) -> None:
        self.push(tuple(self.since_mark()))

    def append(self) -> None:
        self._extend([self.stack.pop()])

    def append_since_mark(self) -> None:
        self._extend(self.since_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise NotPlainError("something that is added to, but is no list")
        target.extend(values)

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def set_since_mark(self) -> None:
        self._update(self.since_mark())

    def _update(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise NotPlainError("something with keys that is no dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) is not str:
                raise NotPlainError("a dict whose keys are no strings")
            target[key] = value

    def keep(self, form: struct.Struct | None) -> None:
        place = len(self.memory) if form is None else self.number(form)
        self.memory[place] = self.stack[-1]

    def recall(self, form: struct.Struct) -> None:
        self.push(self.memory[self.number(form)])

    def name(self) -> None:
        """Two lines: a module, and what of it is meant."""
        module, name = self._line(), self._line()
        self._push_named(module, name)

    def name_on_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._push_named(module, name)

    def _line(self) -> str:
        rest = self.content[self.place : self.place + _MOST_NAME_BYTES].tobytes()
        return self.text(self.take(rest.index(b"\n") + 1)).rstrip("\n")

    def _push_named(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise NotPlainError("a name that is no string")
        found = NAMES.get((module, name))
        if found is None:
            raise NotPlainError(f"{f'{module}.{name}':.80}, which would be run")
        self.push(found)

    def call(self) -> None:
        """What comes of a name of numpy's and of what goes with it."""
        arguments, named = self.stack.pop(), self.stack.pop()
        if type(named) is not Name or type(arguments) is not tuple:
            raise NotPlainError("a call of something that it made itself")
        made = named.called(arguments)
        if type(made) is str:
            self.count_text(len(made))
        self.push(made)

    def complete(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Array | Type):
            raise NotPlainError("an object that is no array")
        target.complete(state)


def _called(instruction: int) -> str:
    names = {ord(one.code): one.name for one in pickletools.opcodes}
    return names.get(instruction, f"{instruction:#x}, which there is none of")


_U1, _U2, _U4, _U8 = (struct.Struct(f"<{code}") for code in "BHIQ")
_I4, _F8 = struct.Struct("<i"), struct.Struct(">d")
_STOP = ord(pickle.STOP)

_Follow = Callable[[_Machine], None]


def _with(method: Callable[..., None], *arguments: object) -> _Follow:
    return lambda machine: method(machine, *arguments)


_INSTRUCTIONS: Mapping[int, _Follow] = {
    ord(code): follow
    for code, follow in (
        (pickle.PROTO, _with(_Machine.skip, 1)),
        (pickle.FRAME, _with(_Machine.skip, 8)),
        (pickle.NONE, _with(_Machine.push, None)),
        (pickle.NEWTRUE, _with(_Machine.push, True)),  # noqa: FBT003 the value that is meant
        (pickle.NEWFALSE, _with(_Machine.push, False)),  # noqa: FBT003 as above
        (pickle.BININT, _with(_Machine.push_number, _I4)),
        (pickle.BININT1, _with(_Machine.push_number, _U1)),
        (pickle.BININT2, _with(_Machine.push_number, _U2)),
        (pickle.BINFLOAT, _with(_Machine.push_number, _F8)),
        (pickle.LONG1, _Machine.push_long),
        (pickle.SHORT_BINUNICODE, _with(_Machine.push_text, _U1)),
        (pickle.BINUNICODE, _with(_Machine.push_text, _U4)),
        (pickle.BINUNICODE8, _with(_Machine.push_text, _U8)),
        (pickle.SHORT_BINBYTES, _with(_Machine.push_bytes, _U1)),
        (pickle.BINBYTES, _with(_Machine.push_bytes, _U4)),
        (pickle.BINBYTES8, _with(_Machine.push_bytes, _U8)),
        (pickle.BYTEARRAY8, _with(_Machine.push_bytes, _U8)),
        (pickle.EMPTY_LIST, _with(_Machine.push_new, list)),
        (pickle.EMPTY_DICT, _with(_Machine.push_new, dict)),
        (pickle.EMPTY_TUPLE, _with(_Machine.push, ())),
        (pickle.MARK, _Machine.mark),
        (pickle.TUPLE, _Machine.tuple_since_mark),
        (pickle.TUPLE1, _with(_Machine.tuple_of, 1)),
        (pickle.TUPLE2, _with(_Machine.tuple_of, 2)),
        (pickle.TUPLE3, _with(_Machine.tuple_of, 3)),
        (pickle.APPEND, _Machine.append),
        (pickle.APPENDS, _Machine.append_since_mark),
        (pickle.SETITEM, _Machine.set_item),
        (pickle.SETITEMS, _Machine.set_since_mark),
        (pickle.MEMOIZE, _with(_Machine.keep, None)),
        (pickle.BINPUT, _with(_Machine.keep, _U1)),
        (pickle.LONG_BINPUT, _with(_Machine.keep, _U4)),
        (pickle.BINGET, _with(_Machine.recall, _U1)),
        (pickle.LONG_BINGET, _with(_Machine.recall, _U4)),
        (pickle.GLOBAL, _Machine.name),
        (pickle.STACK_GLOBAL, _Machine.name_on_stack),
        (pickle.REDUCE, _Machine.call),
        (pickle.BUILD, _Machine.complete),
    )
}
