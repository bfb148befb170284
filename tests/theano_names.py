"""What people import from Theano, family by family, with `engine` in place of `theano`.

Theano 1.0.5's public functions; what is Theano's own machinery (classes of ops, optimisers,
linkers) is not among them.  `T` stands for `engine.tensor`, `v` for a variable.
"""

from __future__ import annotations

PREFIXES = ("", "b", "w", "i", "l", "f", "d", "c", "z")
KINDS = (
    "scalar", "vector", "row", "col", "matrix", "tensor3", "tensor4", "tensor5", "tensor6",
    "tensor7",
)  # fmt: skip
PLURALS = ("scalars", "vectors", "rows", "cols", "matrices", "tensor3s", "tensor4s", "tensor5s",
           "tensor6s", "tensor7s")  # fmt: skip


def _names(prefix: str, text: str) -> list[str]:
    return [f"{prefix}.{name}" for name in text.split()]


FAMILIES: dict[str, list[str]] = {
    "types": [
        *(f"T.{letter}{kind}" for letter in PREFIXES for kind in KINDS),
        *(f"T.{letter}{kind}" for letter in ("", "f", "d", "i", "l") for kind in PLURALS),
        *_names("T", "TensorType tensor as_tensor_variable as_tensor constant cast"),
        *_names("T", "TensorVariable TensorConstant sharedvar.TensorSharedVariable"),
        "Variable", "Constant", "Apply",
    ],
    "arithmetic": _names(
        "T",
        """add sub mul true_div int_div floor_div ceil_intdiv divmod mod pow power neg abs_ sqr
        square sqrt inv maximum minimum smallest largest second fill identity_like cov""",
    ),
    "rounding and sign": _names(
        "T",
        """sgn round iround round_half_to_even round_half_away_from_zero ceil floor trunc""",
    ),
    "comparison and logic": _names(
        "T",
        """lt gt le ge eq neq isnan isinf isclose allclose and_ bitwise_and or_ bitwise_or xor
        bitwise_xor invert bitwise_not any all""",
    ),
    "selection": [*_names("T", "switch where clip choose"), "ifelse.ifelse"],
    "exponentials": _names("T", "exp exp2 expm1 log log1p log2 log10"),
    "trigonometry": _names(
        "T",
        """sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh deg2rad
        rad2deg""",
    ),
    "special functions": [
        *_names(
            "T",
            """erf erfc erfcx erfinv erfcinv gamma gammaln psi tri_gamma chi2sf gammainc gammaincc
            gammau gammal j0 j1 jv i0 i1 iv""",
        ),
        *_names("T.xlogx", "xlogx xlogy0"),
    ],
    "complex numbers": _names("T", "real imag angle conj complex complex_from_polar"),
    "reductions": _names(
        "T", "sum prod mean var std max min max_and_argmax argmax argmin ptp"
    ),
    "cumulative": [
        *_names("T", "cumsum cumprod bincount"),
        *_names("T.extra_ops", "cumsum cumprod diff bincount searchsorted"),
    ],
    "sorting": [
        *_names("T", "sort argsort topk argtopk topk_and_argtopk"),
        "T.extra_ops.Unique",
    ],
    "shape": _names(
        "T",
        """shape reshape flatten transpose swapaxes shape_padleft shape_padright shape_padaxis
        squeeze repeat tile roll addbroadcast unbroadcast patternbroadcast specify_shape""",
    ),
    "creation": [
        *_names(
            "T",
            """zeros ones zeros_like ones_like alloc eye arange tri tril triu diag diagonal mgrid
            ogrid bartlett""",
        ),
        "T.extra_ops.bartlett",
    ],
    "joining": _names(
        "T", "join concatenate stack stacklists split horizontal_stack vertical_stack"
    ),
    "indexing": [
        *_names(
            "T",
            """set_subtensor inc_subtensor take nonzero nonzero_values flatnonzero unravel_index
            ravel_multi_index fill_diagonal fill_diagonal_offset permute_row_elements
            inverse_permutation""",
        ),
        *_names(
            "T.extra_ops",
            """compress repeat squeeze fill_diagonal fill_diagonal_offset to_one_hot unravel_index
            ravel_multi_index""",
        ),
    ],
    "products": _names("T", "dot outer tensordot batched_dot batched_tensordot"),
    "linear algebra": [
        *_names(
            "T.nlinalg",
            """pinv matrix_inverse matrix_dot alloc_diag extract_diag diag trace det eig eigh qr
            svd lstsq matrix_power norm tensorinv tensorsolve""",
        ),
        *_names(
            "T.slinalg",
            """cholesky solve solve_lower_triangular solve_upper_triangular solve_symmetric
            eigvalsh kron expm""",
        ),
    ],
    "activations": _names(
        "T.nnet",
        """sigmoid ultra_fast_sigmoid hard_sigmoid softplus softsign softmax logsoftmax
        softmax_with_bias softmax_graph relu elu selu h_softmax""",
    ),
    "costs": [
        *_names(
            "T.nnet",
            """binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy
            crossentropy_categorical_1hot crossentropy_softmax_1hot
            crossentropy_softmax_1hot_with_bias crossentropy_softmax_argmax_1hot_with_bias
            crossentropy_softmax_max_and_argmax_1hot
            crossentropy_softmax_max_and_argmax_1hot_with_bias prepend_scalar_to_each_row
            prepend_0_to_each_row prepend_1_to_each_row confusion_matrix""",
        ),
        "T.nnet.ctc.ctc",
    ],
    "convolution": [
        *_names(
            "T.nnet",
            "conv2d conv2d_transpose conv2d_grad_wrt_inputs conv3d separable_conv2d",
        ),
        *_names(
            "T.nnet.abstract_conv",
            """conv2d conv3d separable_conv2d separable_conv3d conv2d_grad_wrt_inputs
            conv2d_grad_wrt_weights conv3d_grad_wrt_inputs conv3d_grad_wrt_weights causal_conv1d
            bilinear_kernel_1D bilinear_kernel_2D bilinear_upsampling frac_bilinear_upsampling
            get_conv_output_shape AbstractConv2d AbstractConv2d_gradInputs
            AbstractConv2d_gradWeights AbstractConv3d AbstractConv3d_gradInputs
            AbstractConv3d_gradWeights""",
        ),
        "T.nnet.conv.conv2d",
        "T.signal.conv.conv2d",
    ],
    "pooling and neighbourhoods": [
        *_names("T.signal.pool", "pool_2d pool_3d max_pool_2d_same_size"),
        *_names("T.nnet.neighbours", "images2neibs neibs2images"),
    ],
    "normalisation": _names(
        "T.nnet.bn",
        "batch_normalization batch_normalization_train batch_normalization_test",
    ),
    "random streams": [
        *_names(
            "T.shared_randomstreams.RandomStreams",
            """uniform normal binomial random_integers choice poisson permutation multinomial
            shuffle_row_elements seed""",
        ),
        *_names(
            "sandbox.rng_mrg.MRG_RandomStreams",
            """uniform normal binomial multinomial choice truncated_normal
            multinomial_wo_replacement seed""",
        ),
    ],
    "Fourier transforms": _names("T.fft", "rfft irfft"),
    "gradients": [
        *_names("T", "grad Rop Lop jacobian hessian verify_grad numeric_grad consider_constant"),
        *_names(
            "gradient",
            """grad Rop Lop subgraph_grad jacobian hessian numeric_grad verify_grad
            consider_constant zero_grad disconnected_grad undefined_grad grad_clip grad_scale
            GradientError DisconnectedInputError NullTypeGradError""",
        ),
    ],
    "loops": [
        "scan", "map", "reduce", "foldl", "foldr", "clone", "scan_module.until",
        "scan_checkpoints", "compile.builders.OpFromGraph",
        "scan_module.scan_utils.equal_computations",
    ],
    "functions": [
        "function", "In", "Out", "shared", "OpFromGraph", "Mode", "OrderedUpdates", "pp",
        "config.floatX", "compile.nanguardmode.NanGuardMode", "compile.debugmode.DebugMode",
        "compile.monitormode.MonitorMode", "compile.monitormode.detect_nan", "compile.ops.as_op",
    ],
    "seeing": [
        *_names("gof.graph", "inputs ancestors io_toposort is_same_graph"),
        *_names("printing", "debugprint Print pp pydotprint"),
        "T.opt.Assert",
    ],
    "methods of variables": _names(
        "v",
        """T transpose any all reshape dimshuffle flatten ravel diagonal arccos arccosh arcsin
        arcsinh arctan arctanh ceil cos cosh deg2rad exp exp2 expm1 floor log log10 log1p log2
        rad2deg sin sinh sqrt tan tanh trunc astype take copy sum prod norm mean var std min max
        argmin argmax nonzero nonzero_values sort argsort clip conj repeat round trace zeros_like
        ones_like cumsum cumprod searchsorted ptp swapaxes fill choose squeeze compress real imag
        shape size ndim dtype broadcastable eval tag name owner type""",
    ),
    "sparse matrices": [
        f"sparse.{name}"
        for name in (
            "csc_matrix", "csr_matrix", "as_sparse_variable", "dense_from_sparse",
            "csm_properties", "CSC", "CSR", "dot", "structured_dot", "true_dot", "sp_sum",
            "structured_add", "structured_sigmoid", "transpose", "sampling_dot",
        )
    ],
}  # fmt: skip
"""Every public name by its family."""

MISSING: dict[str, str] = {
    **dict.fromkeys(FAMILIES["sparse matrices"], "sparse tensors need a type of their own"),
    "T.nnet.h_softmax": "a two-level softmax is for vocabularies that sampled costs serve better",
}
"""What is not there, and why."""
