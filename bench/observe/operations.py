"""Multiply-accumulates of torch operations: which do some, how many, and which are known to do none.

torch's own registry of formulas leaves holes that read as zero (fused LSTM layers, attention on the CPU, quantized
layers, products with a vector); the formulas here fill them. Element-wise work and reductions count nothing, as
everywhere in this field; a convolution written as an element-wise product and a sum is therefore not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Formula = Callable[[Sequence[Any], Any], Any]

_WEIGHTS_AT = {
    "aten.lstm.input": 2, "aten.gru.input": 2, "aten.rnn_tanh.input": 2, "aten.rnn_relu.input": 2,
    "aten.lstm.data": 3, "aten.gru.data": 3, "aten.rnn_tanh.data": 3, "aten.rnn_relu.data": 3,
    "aten._cudnn_rnn": 1, "aten.miopen_rnn": 1,
}  # fmt: skip


def _recurrent(position: int) -> Formula:
    """Every weight matrix of every layer and direction is applied once at each step of each sequence."""

    def macs(args: Sequence[Any], _: Any) -> Any:
        inputs = args[0]
        n_steps = inputs.numel() // inputs.shape[-1]
        return n_steps * sum(weight.numel() for weight in args[position] if weight.dim() == 2)

    return macs


def _recurrent_layer(args: Sequence[Any], _: Any) -> Any:
    inputs, input_weight, hidden_weight = args[:3]
    return inputs.numel() // inputs.shape[-1] * (input_weight.numel() + hidden_weight.numel())


def _quantized_lstm(args: Sequence[Any], _: Any) -> Any:
    """Weights are packed out of sight: their sizes follow from the input, the hidden state and the arguments."""
    inputs, hidden, n_layers, bidirectional = args[0], args[1][0], args[4], args[7]
    directions, size, width = 2 if bidirectional else 1, hidden.shape[-1], inputs.shape[-1]
    widths = [width] + [size * directions] * (n_layers - 1)
    return inputs.numel() // width * sum(directions * 4 * size * (before + size) for before in widths)


def _attention(args: Sequence[Any], _: Any) -> Any:
    """(B, H, Tq, E) queries by (B, H, Tk, E) keys, then by (B, H, Tk, Ev) values; a mask skips nothing."""
    query, key, value = args[:3]
    n_queries = query.numel() // query.shape[-1]
    return n_queries * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _by_output_width(args: Sequence[Any], result: Any) -> Any:
    return args[0].numel() * result.shape[-1]


_LINEAR = (
    "aten.linear", "aten.mkldnn_linear", "aten._int_mm", "aten._weight_int8pack_mm", "mkldnn._linear_pointwise",
    "mkl._mkl_linear", "onednn.qlinear_pointwise", "quantized.linear", "quantized.linear_relu",
    "quantized.linear_dynamic", "quantized.linear_relu_dynamic", "quantized.linear_dynamic_fp16",
    "quantized.linear_relu_dynamic_fp16",
)  # fmt: skip
FORMULAS: Mapping[str, Formula] = {
    **dict.fromkeys(_LINEAR, _by_output_width),
    **{name: _recurrent(position) for name, position in _WEIGHTS_AT.items()},
    "aten.mkldnn_rnn_layer": _recurrent_layer,
    "aten.quantized_lstm.input": _quantized_lstm,
    "aten.scaled_dot_product_attention": _attention,
    "aten._scaled_dot_product_flash_attention_for_cpu": _attention,
    "aten._scaled_dot_product_fused_attention_overrideable": _attention,
    "aten.mv": lambda args, _: args[0].numel(),
    "aten.addmv": lambda args, _: args[1].numel(),
    "aten.dot": lambda args, _: args[0].numel(),
    "aten.vdot": lambda args, _: args[0].numel(),
    "aten.addbmm": lambda args, _: args[1].numel() * args[2].shape[-1],
}
"""Formulas by operation, with or without its overload: (arguments, result) -> MACs."""

_NO_PRODUCTS = """
    _adaptive_avg_pool1d _adaptive_avg_pool2d _embedding_bag_forward_only _fused_rms_norm _fused_sdp_choice _unsafe_view
    _local_scalar_dense _log_softmax _native_batch_norm_legit _native_batch_norm_legit_no_training
    _nested_tensor_size _pack_padded_sequence _pad_packed_sequence _pin_memory _reshape_copy _resize_output
    _safe_softmax _softmax _thnn_fused_gru_cell _thnn_fused_lstm_cell _to_copy _unique2 _weight_norm_interface
    adaptive_avg_pool1d adaptive_avg_pool2d alias argsort as_strided_copy avg_pool1d avg_pool2d batch_norm bernoulli
    bincount bucketize cat chunk clone constant_pad_nd contiguous copy copy_ count_nonzero cummax cummin cumprod
    cumsum dequantize diagonal_copy dropout embedding embedding_bag empty_like equal fill fill_ flip fmod full_like
    gather glu group_norm index index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put
    index_put_ index_select instance_norm is_same_size isin item kthvalue layer_norm lift_fresh lift_fresh_copy
    linalg_vector_norm log_softmax logcumsumexp logsumexp masked_fill masked_fill_ masked_scatter masked_scatter_
    masked_select max max_pool1d max_pool1d_with_indices max_pool2d_with_indices maximum mean median min minimum
    multinomial nan_to_num narrow_copy native_batch_norm native_dropout native_group_norm native_layer_norm
    new_empty new_full new_ones new_zeros nonzero norm one_hot ones_like pad put put_ quantile quantize_per_channel
    quantize_per_tensor quantize_per_tensor_dynamic rand_like randn_like random_ reflection_pad1d reflection_pad2d
    renorm repeat repeat_interleave replication_pad1d replication_pad2d resize_ rms_norm roll rot90 scatter scatter_
    scatter_add scatter_add_ scatter_reduce searchsorted select_scatter set_ slice_scatter softmax sort split
    split_with_sizes_copy squeeze_ stack std std_mean sum t_ take take_along_dim to topk trace transpose_ tril triu
    unfold_copy uniform_ unique_consecutive unique_dim unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze_
    upsample_linear1d upsample_nearest1d var var_mean view_copy where zero zero_ zeros_like
"""
HARMLESS = frozenset(f"aten.{name}" for name in _NO_PRODUCTS.split())
"""Operations that move, choose, normalize or reduce: no multiply-accumulate is counted for them."""


class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, adds up the MACs of every torch operation by name, and lists those that it has no formula for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs: Counter[str] = Counter()
        self.uncounted: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _name(func)
        formula = FORMULAS.get(f"{name}.{func._overloadname}") or FORMULAS.get(name)
        registered = flop_registry.get(func._overloadpacket)
        if formula is None and registered is None:
            with self:
                result = func.decompose(*args, **kwargs)  # operations made of others, as they arrive in inference mode
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if formula is not None:
            self.macs[name] += int(formula(args, result))
        elif registered is not None:
            self.macs[name] += int(registered(*args, **kwargs, out_val=result)) // 2
        elif not _is_harmless(func, args, kwargs):
            self.uncounted[name] += 1
        return result


def _name(func: Any) -> str:
    return str(func._overloadpacket)


def _is_harmless(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    tags = {torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.inplace_view}
    if func.is_view or tags & set(func.tags) or _name(func) in HARMLESS or func.namespace == "prim":
        return True
    return func.namespace == "aten" and not any(_holds_tensor(value) for value in (*args, *kwargs.values()))


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(item) for item in value)
    return isinstance(value, Tensor)
