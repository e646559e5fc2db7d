"""Each bad preset, option or sample is named, and so is what would be good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from earmark.bench.api import InputError, Json
from earmark.models._blocks.checks import check_preset, check_samples, in_range, read_options


@dataclass(frozen=True)
class Options:
    width: int = 4
    rate: float = 0.5
    causal: bool = True
    norm: str = "batch"
    frozen: tuple[str, ...] = ()


def test_options_keep_defaults_and_take_an_int_for_a_float() -> None:
    assert read_options(Options, {"rate": 2, "causal": False}, plugin="toy") == Options(rate=2.0, causal=False)


def test_names_are_a_list_or_one() -> None:
    assert read_options(Options, {"frozen": ["a", "b"]}, plugin="toy").frozen == ("a", "b")
    assert read_options(Options, {"frozen": "a"}, plugin="toy").frozen == ("a",)
    assert read_options(Options, {"frozen": []}, plugin="toy").frozen == ()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"widht": 3}, "did you mean 'width'?"),
        ({"zzz": 3}, "options are: width, rate, causal, norm, frozen"),
        ({"width": 3.0}, "of type int"),
        ({"width": True}, "of type int"),
        ({"rate": float("nan")}, "of type float"),
        ({"rate": None}, "of type float"),
        ({"causal": 1}, "of type bool"),
        ({"norm": ["batch"]}, "of type str"),
        ({"frozen": ["joint", 3]}, "a list of names"),
        ({"frozen": ""}, "a list of names"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError) as error:
        read_options(Options, options, plugin="toy")
    assert says in str(error.value)
    assert str(error.value).startswith("toy: ")


def test_ranges_include_their_ends() -> None:
    in_range("rate", 0.0, 0.0, 1.0, plugin="toy")
    in_range("rate", 1.0, 0.0, 1.0, plugin="toy")
    with pytest.raises(InputError, match="give 0 to 1"):
        in_range("rate", 1.01, 0.0, 1.0, plugin="toy")


def test_unknown_preset_names_those_there_are() -> None:
    check_preset("tiny", ("tiny", "paper"), plugin="toy")
    with pytest.raises(InputError, match="choose one of: tiny, paper"):
        check_preset("huge", ("tiny", "paper"), plugin="toy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted_out(bad: float) -> None:
    samples = np.zeros(5, dtype=np.float32)
    check_samples(samples, plugin="toy")
    samples[3] = bad
    with pytest.raises(InputError, match="sample 3 is"):
        check_samples(samples, plugin="toy")


@pytest.mark.parametrize("samples", [np.zeros((1, 5), np.float32), np.zeros(5), np.zeros(5, np.int16)])
def test_samples_are_one_row_of_float32(samples: Any) -> None:
    with pytest.raises(InputError, match="shape"):
        check_samples(samples, plugin="toy")
