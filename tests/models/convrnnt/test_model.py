"""The ConvRNN-T plugin: the past alone, chunks of any size, the paper's sizes, padding, and its ablations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from earmark.bench.api import CountsWork, InputError, Recognizer, Transcribes
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.conv import MaskedBatchNorm
from earmark.models.convrnnt.branches import RANDOM_SHARE, BranchSizes, GlobalBlock, LocalBranch
from earmark.models.convrnnt.model import BRANCHES, ConvRnntEncoder, EncoderSizes, build
from earmark.models.rnnt.model import build as build_rnnt

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2498))]
FORMS = {
    "paper": EncoderSizes(3, BranchSizes(1, 5, (5, 5, 3, 3), 24, 3), 12, 2, 10, norm=False, swish=True),
    "ours": EncoderSizes(6, BranchSizes(6, 3, (12, 4, 2, 2), 10, 2, norm=True), 12, 2, 0, norm=True, swish=False),
}
"""The forms of the presets at sizes of a test: frames of 24."""


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def encoder(form: str = "paper", branches: str = "both") -> ConvRnntEncoder:
    torch.manual_seed(0)
    model = ConvRnntEncoder(24, FORMS[form], 16, branches=branches, dropout=0.1)  # type: ignore[arg-type]
    for module in model.modules():  # statistics as training leaves them
        if isinstance(module, MaskedBatchNorm):
            nn.init.normal_(module.running_mean, std=0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return model.eval()


def stream(model: ConvRnntEncoder, x: Tensor, cuts: list[int]) -> Tensor:
    state, outputs = model.start(len(x)), []
    for part in x.tensor_split(cuts, dim=1):
        y, state = model.step(part, state)
        outputs.append(y)
    return torch.cat(outputs, dim=1)


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("form", FORMS)
def test_later_frames_change_no_bit_of_what_went_before(form: str, branches: str) -> None:
    """Through squeeze-excitation and batch normalization too."""
    model, x = encoder(form, branches), noise(1, 40, 24)
    changed = torch.cat([x[:, :25], 9.0 * noise(1, 15, 24, seed=1)], dim=1)
    lengths = torch.tensor([40])
    assert torch.equal(model(x, lengths)[:, :25], model(changed, lengths)[:, :25])
    assert not torch.equal(model(x, lengths)[:, 25:], model(changed, lengths)[:, 25:])


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cuts", [list(range(1, 40)), [1, 2, 3], [7], [4, 5, 11, 30]])
def test_chunks_of_any_size_give_the_whole(form: str, branches: str, cuts: list[int]) -> None:
    model, x = encoder(form, branches), noise(2, 40, 24)
    whole = model(x, torch.tensor([40, 40]))
    torch.testing.assert_close(stream(model, x, cuts), whole, rtol=1e-4, atol=1e-5)


def test_caches_hold_what_the_paper_needs_and_no_more() -> None:
    """4 frames of each local convolution, 2 * 2^i of global block i, the sum and number behind each mean."""
    model = encoder()
    _, ((near, far), _) = model.step(noise(1, 40, 24), model.start(1))
    assert [tuple(kept.shape) for kept in near] == [(1, c, 4, 24) for c in (1, 5, 5, 3)]
    for i, ((frames,), (total, count)) in enumerate(far, start=1):
        assert frames.shape == (1, 2 * 2**i, 48)
        assert (total.shape, count) == ((1, 24), 40)


def test_paper_has_the_parameters_of_the_paper() -> None:
    """Per block, in millions (section 4): convolutions 5.40 (local 2.9, global 2.5), LSTM encoder 18.93, joint 1.28,
    embedding 0.62, LSTM decoder 2.62; with 2,500 word pieces."""
    with torch.device("meta"):
        model = build("paper", options={}, vocabulary=PIECES, seed=0, device="meta")
    conv, embedding = model.encoder.conv, model.predictor.embedding.weight.numel()
    found = {
        "local": n_parameters(conv.near),
        "global": n_parameters(conv.far) + n_parameters(conv.join),
        "convolutions": n_parameters(conv),
        "lstm": n_parameters(model.encoder.lstm) + n_parameters(model.encoder.output),
        "joint": n_parameters(model.joint),
        "decoder": n_parameters(model.predictor) - embedding,
    }
    published = {"local": 2.9, "global": 2.5, "convolutions": 5.40, "lstm": 18.93, "joint": 1.28, "decoder": 2.62}
    assert {name: n / 1e6 for name, n in found.items()} == pytest.approx(published, rel=0.03)
    assert embedding / 1e6 == pytest.approx(0.62, rel=0.04)  # 256 a piece make 0.64
    assert model.info.n_parameters == pytest.approx(29e6, rel=0.03)


@pytest.mark.parametrize("preset", ["tiny", "small", "paper"])
def test_presets_have_about_as_many_parameters_as_those_of_rnnt(preset: str) -> None:
    pieces = PIECES if preset == "paper" else None  # 2,500 would hide what the encoders of the small ones differ by
    with torch.device("meta"):
        own, other = (b(preset, options={}, vocabulary=pieces, seed=0, device="meta") for b in (build, build_rnnt))
    assert n_parameters(own) == pytest.approx(n_parameters(other), rel=0.03)


@pytest.mark.parametrize("form", FORMS)
def test_padding_alters_nothing_in_training(form: str) -> None:
    """Neither means of squeeze-excitation nor statistics of batches: what stands in the padding is never heard."""
    x, lengths = noise(2, 40, 24), torch.tensor([40, 22])
    outputs, statistics = [], []
    for filling in (0.0, 1e4):
        model = encoder(form).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        padded = x.clone()
        padded[1, 22:] = filling
        outputs.append(model(padded, lengths)[1, :22])
        statistics.append([b.clone() for b in model.buffers()])
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(statistics[0], statistics[1])


@pytest.mark.parametrize("form", FORMS)
def test_each_local_convolution_looks_back_as_far_as_its_kernel(form: str) -> None:
    sizes = FORMS[form].branches
    branch = LocalBranch(24, sizes)
    x = noise(1, 40, 24).requires_grad_()
    branch.step(x, branch.start(1))[0][0, 30].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(dim=1).nonzero()[:, 0]
    assert (int(heard.min()), int(heard.max())) == (30 - (sizes.kernel - 1) * len(sizes.local), 30)


def test_a_local_branch_begins_with_the_frames_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no random weights: each plane and its negative behind the first convolution, and those handed on to the end,
    rectified on the way."""
    monkeypatch.setattr("earmark.models.convrnnt.branches.RANDOM_SHARE", 0.0)
    branch = LocalBranch(24, FORMS["ours"].branches)
    x = noise(1, 9, 24)
    found = planes = x.reshape(1, 9, 6, 4).transpose(1, 2)
    for number, conv in enumerate(branch.convs):
        found = conv.step(found, conv.start(1))[0]  # type: ignore[operator]
        if number == 0:
            torch.testing.assert_close(found, torch.cat([planes, -planes], dim=1))
        found = found.relu()
    torch.testing.assert_close(found, planes[:, :2].relu())


def test_beside_them_are_weak_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(share: float) -> list[Tensor]:
        monkeypatch.setattr("earmark.models.convrnnt.branches.RANDOM_SHARE", share)
        torch.manual_seed(3)
        return [p.detach() for name, p in LocalBranch(24, FORMS["ours"].branches).convs.named_parameters()]

    identity, begun = weights(0.0), weights(RANDOM_SHARE)
    convs = [(a - b) for a, b in zip(begun, identity, strict=True) if a.dim() == 4]
    assert len(convs) == 4
    for drawn in convs:  # He et al. 2015: variance 2 over the inputs of a place
        usual = (2.0 / drawn[0].numel()) ** 0.5
        assert float(drawn.std()) == pytest.approx(RANDOM_SHARE * usual, rel=0.4)


def test_a_global_block_looks_back_twice_its_dilation_and_its_mean_for_ever() -> None:
    block = GlobalBlock(6, 8, 0.0).eval()
    x = noise(1, 40, 6).requires_grad_()
    block.step(x, block.start(1))[0][0, 30].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(dim=1)
    assert heard[:31].all()  # through the mean
    assert not heard[31:].any()
    assert heard[[14, 22, 30]].min() > 2 * heard[[5, 15, 21, 23]].max()  # through the convolution


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("form", FORMS)
def test_macs_are_those_counted(form: str, branches: str) -> None:
    model, x = encoder(form, branches), noise(1, 7, 24)
    with torch.inference_mode():
        counted = count_macs(lambda: model.step(x, model.start(1)))
    parts = model.macs_by_part(7)
    assert counted.macs == sum(parts.values())
    assert {"local", "global"} & set(parts) == ({"local", "global"} if branches == "both" else {branches})


def test_the_global_branch_hears_the_local_one_and_nothing_else() -> None:
    """Section 3: the output of the local CNN is fed to the global one. A mute local branch leaves both deaf."""
    model, lengths = encoder(), torch.tensor([40])
    assert not torch.equal(model(noise(1, 40, 24), lengths), model(noise(1, 40, 24, seed=1), lengths))
    nn.init.zeros_(model.conv.near.output.weight)  # type: ignore[union-attr]
    assert torch.equal(model(noise(1, 40, 24), lengths), model(noise(1, 40, 24, seed=1), lengths))


def test_it_is_a_recognizer_in_both_forms() -> None:
    model = build("tiny", options={"branches": "local"}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(model, Recognizer)
    assert isinstance(model, Transcribes)
    assert isinstance(model.stream(), CountsWork)
    assert model.info.lookahead_s == 0.0


def test_an_unknown_ablation_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="give one of: both, local, global"):
        build("tiny", options={"branches": "loacl"}, vocabulary=None, seed=0, device="cpu")
