"""MAC counts against closed forms: the table of layers whose usual counts have holes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from earmark.bench.observe.compute import Count, count_macs, cross_check, parametrised_modules_at_zero

T, W, H = 100, 80, 64  # steps, width of the input, hidden units
X = torch.zeros(1, T, W)
Z = torch.zeros(1, T, H)
HEADS = torch.zeros(1, 4, T, 16)
MHA = 3 * T * H * H + 2 * T * T * H + T * H * H
LAYERS: list[tuple[str, Callable[[], nn.Module], Tensor, int]] = [
    ("linear", lambda: nn.Linear(W, H), X, T * W * H),
    ("lstm", lambda: nn.LSTM(W, H, batch_first=True), X, T * 4 * H * (W + H)),
    ("lstm, 2 layers, both ways", lambda: nn.LSTM(W, H, 2, bidirectional=True), X, T * 8 * H * (W + H + 3 * H)),
    ("lstm, projected", lambda: nn.LSTM(W, H, proj_size=16), X, T * (4 * H * (W + 16) + 16 * H)),
    ("gru", lambda: nn.GRU(W, H, batch_first=True), X, T * 3 * H * (W + H)),
    ("rnn", lambda: nn.RNN(W, H), X, T * H * (W + H)),
    ("lstm cell", lambda: nn.LSTMCell(W, H), X[0], T * 4 * H * (W + H)),
    ("gru cell", lambda: nn.GRUCell(W, H), X[0], T * 3 * H * (W + H)),
    ("conv", lambda: nn.Conv1d(W, H, 3), X.mT, (T - 2) * 3 * W * H),
    ("depthwise conv", lambda: nn.Conv1d(W, W, 3, groups=W), X.mT, (T - 2) * 3 * W),
    ("transformer layer", lambda: nn.TransformerEncoderLayer(H, 4, 128, batch_first=True), Z, MHA + 2 * T * H * 128),
]


@pytest.mark.parametrize(("layer", "inputs", "macs"), [rest for _, *rest in LAYERS], ids=[name for name, *_ in LAYERS])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_macs_of_a_layer_equal_the_closed_form(layer, inputs, macs, mode) -> None:
    module = layer().eval()
    with mode():
        counted = count_macs(lambda: module(inputs))
    assert counted.macs == sum(counted.by_op.values()) == macs
    assert counted.uncounted == ()
    with mode():
        assert parametrised_modules_at_zero(module, lambda: module(inputs)) == ()


def test_figures_of_the_published_table() -> None:
    by_name = {name: macs for name, _, _, macs in LAYERS}
    assert by_name["linear"] == 512_000
    assert by_name["lstm"] == 3_686_400
    assert by_name["gru"] == 2_764_800
    assert MHA == 2_918_400
    assert by_name["transformer layer"] == 4_556_800


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_attention(mode) -> None:
    mha = nn.MultiheadAttention(H, 4, batch_first=True).eval()
    with mode():
        assert count_macs(lambda: scaled_dot_product_attention(HEADS, HEADS, HEADS)).macs == 1_280_000
        assert count_macs(lambda: mha(Z, Z, Z, need_weights=False)).macs == MHA
        assert count_macs(lambda: mha(Z, Z, Z, need_weights=True)).macs == MHA


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_quantized_layers(mode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its successor
        linear = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(W, H)), {nn.Linear})
        lstm = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(W, H, 2, bidirectional=True)), {nn.LSTM})
    with mode():
        assert count_macs(lambda: linear(X)).macs == T * W * H
        assert count_macs(lambda: lstm(X)).macs == T * 8 * H * (W + H + 3 * H)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_products_with_a_vector(mode) -> None:
    matrix, vector = torch.zeros(3, 4), torch.zeros(4)
    with mode():
        assert count_macs(lambda: matrix @ vector).macs == 12
        assert count_macs(lambda: vector @ vector).macs == 4
        assert count_macs(lambda: torch.einsum("ab,cb->ac", matrix, matrix)).macs == 36


def test_a_masked_branch_counts_and_a_skipped_one_does_not() -> None:
    layer, gate = nn.Linear(W, H), torch.arange(T) % 4 == 0

    def masked() -> Tensor:
        return layer(X) * gate[None, :, None]

    def skipped() -> Tensor:
        out = torch.zeros(1, T, H)
        out[:, gate] = layer(X[:, gate])
        return out

    assert torch.allclose(masked(), skipped())
    assert count_macs(masked).macs == T * W * H
    assert count_macs(skipped).macs == T * W * H // 4


def test_work_without_a_formula_is_named_and_moving_data_is_not() -> None:
    counted = count_macs(lambda: torch.stft(X.flatten(), 64, window=torch.ones(64), return_complex=True))
    assert counted.macs == 0
    assert counted.uncounted == ("aten._fft_r2c",)
    assert count_macs(lambda: torch.cdist(X[0], X[0])).uncounted == ("aten._euclidean_dist",)
    assert count_macs(lambda: torch.cat([X, X]).sort(-1).values.softmax(-1).topk(3)).uncounted == ()
    assert count_macs(lambda: nn.LayerNorm(W)(X).cumsum(1)[:, X[0, :, 0] > 0].clone()).uncounted == ()


def test_an_operation_of_a_strangers_library_is_named() -> None:
    @torch.library.custom_op("earmark_test::triple", mutates_args=())
    def triple(x: Tensor) -> Tensor:
        return x * 3

    assert count_macs(lambda: triple(X)).uncounted == ("earmark_test.triple",)


def test_a_layer_that_reads_zero_is_named() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(H, W))

        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(x.numpy() @ self.weight.detach().numpy().T)

    model = nn.Sequential(nn.Embedding(4, W), Hidden(), nn.Linear(H, 2))
    with torch.no_grad():
        assert parametrised_modules_at_zero(model, lambda: model(torch.zeros(1, 3, dtype=torch.long))) == ("1",)
        assert parametrised_modules_at_zero(model, lambda: None) == ()


def test_the_fast_path_is_put_back() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ZeroDivisionError):
        count_macs(lambda: 1 / 0)
    assert torch.backends.mha.get_fastpath_enabled() == before


@pytest.mark.parametrize(
    ("claimed", "counted", "agrees"),
    [(99, 100, True), (98, 100, False), (102, 100, False), (0, 0, True), (5, 0, False), (0, 5, False)],
)
def test_claims_agree_within_one_percent(claimed: int, counted: int, agrees: bool) -> None:
    reason = cross_check({"encoder": claimed // 2, "joint": claimed - claimed // 2}, Count(counted, {}))
    assert (reason is None) == agrees
    if reason:
        assert f"{claimed:,} MACs" in reason
        assert f"{counted:,} were counted" in reason


def test_a_disagreement_names_what_could_not_be_counted() -> None:
    assert "aten._fft_r2c" in str(cross_check({"all": 9}, Count(1, {}, ("aten._fft_r2c",))))
