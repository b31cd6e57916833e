"""Mistakes at the beginning of a stack of image patches or sound frames, and between an encoder and its decoder."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.check.planted.models import Hooked
from minigpt.model import Call, Transformer
from minigpt.ops import dropout_backward


class Begun(Hooked):
    """A transformer whose gradients are changed by `mend(grads, dx)`, dx: (B, T, C), of what the inputs became."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        self.mend(grads, dropout_backward(self.seen["dembedding"], cache.stack.begin.dropout))
        return grads

    def mend(self, grads, dx):
        raise NotImplementedError


class class_token_of_the_first_image(Begun):
    """This is the gradient you get when the class token takes the gradient of the first image: every image of the
    batch begins with it, so they must be summed."""

    def mend(self, grads, dx):
        grads["class_token"] = dx[:1, 0]


class class_token_averaged(Begun):
    """This is the gradient you get when the class token takes the mean over the images: every one of them begins with
    it, so their gradients must be summed."""

    def mend(self, grads, dx):
        grads["class_token"] = dx[:, :1].mean(axis=0)


class class_token_not_cut_off(Begun):
    """This is the gradient you get when the class token's row is not cut off on the way back: every patch then takes
    the gradient of the position before its own."""

    def mend(self, grads, dx):
        grads["patch_embedding.bias"] = dx[:, :-1].sum(axis=(0, 1))


class patch_bias_of_one_image(Begun):
    """This is the gradient you get when the patches' bias is summed over one image: it was added to every patch of
    every image."""

    def mend(self, grads, dx):
        grads["patch_embedding.bias"] = dx[0, 1:].sum(axis=0)


class kernel_turned_round(Transformer):
    """This is the gradient you get when the kernel is turned round, as mathematics convolves: here its first entry
    meets the first pixel of a patch, not the last."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["patch_embedding.weight"] = grads["patch_embedding.weight"][:, :, ::-1, ::-1].copy()
        return grads


class pixels_of_the_next_patch(Transformer):
    """This is the gradient you get when every patch is taken for the one after it: the gradient of a vector belongs to
    the pixels that it was made of."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        begun = cache.stack.begin
        convolution = begun.inputs.convolution
        windows = np.roll(convolution.windows, 1, axis=3)
        begun = begun._replace(inputs=begun.inputs._replace(convolution=convolution._replace(windows=windows)))
        changed = cache._replace(stack=cache.stack._replace(begin=begun))
        return super().backward(params, changed, dlogits, call, grads=grads)


class patches_column_by_column(Begun):
    """This is the gradient you get when the vectors are taken column by column on the way back: they lie row after row,
    as one reads."""

    def mend(self, grads, dx):
        rows, columns = 3, 2
        windows = self.windows  # (B, Z, Y', X', K, L)
        dgrid = dx[:, 1:].reshape(len(dx), columns, rows, -1).swapaxes(1, 2)  # (B, Y', X', C)
        grads["patch_embedding.weight"] = np.einsum("byxc,bzyxkl->czkl", dgrid, windows)

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        self.windows = cache.stack.begin.inputs.convolution.windows
        return super().backward(params, cache, dlogits, call, grads=grads)


class stride_forgotten(Transformer):
    """This is the gradient you get when the second convolution's stride is forgotten on the way back: its output t
    came from the frames around 2 t, not from those around t."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        begun = cache.encoder.begin
        first, (name, convolution, activation) = begun.inputs.layers
        second = (name, convolution._replace(stride=(1,) * len(convolution.stride)), activation)
        begun = begun._replace(inputs=begun.inputs._replace(layers=[first, second]))
        changed = cache._replace(encoder=cache.encoder._replace(begin=begun))
        return super().backward(params, changed, dlogits, call, grads=grads)


class memory_forgotten(Hooked):
    """This is the gradient you get when cross-attention sends nothing back to its memory: the encoder then never
    learns what the decoder needs."""

    def replace(self, name, gradient):
        return np.zeros_like(gradient) if name == "encoder.dfinal" else gradient


class memory_of_the_last_block(Hooked):
    """This is the gradient you get when the memory takes the gradient of the last block: every block of the decoder
    looks at the same memory, so they must be summed."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        self.params = params
        return super().backward(params, cache, dlogits, call, grads=grads)

    def replace(self, name, gradient):
        if name != "encoder.dfinal":
            return gradient
        last = f"blocks.{self.config.layers - 1}.cross_attention"
        parts = []
        for part in ("key", "value"):
            dpart = self.seen[f"{last}.d{part}"].swapaxes(1, 2)  # (B, M, G, D)
            parts.append(dpart.reshape(*gradient.shape[:2], -1) @ self.params[f"{last}.{part}.weight"].T)
        return parts[0] + parts[1]


class image_gradient_of_the_text(Hooked):
    """This is the gradient you get when the vectors ahead take the gradients of the last positions: they stood
    first."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        self.params, self.count = params, cache.memory.shape[1]
        return super().backward(params, cache, dlogits, call, grads=grads)

    def replace(self, name, gradient):
        if name != "encoder.dfinal":
            return gradient
        return self.seen["dembedding"][:, -self.count :] @ self.params["projector.weight"].T


class projector_forgotten(Hooked):
    """This is the gradient you get when the projector is forgotten on the way back: the encoder's gradient is that of
    the vectors ahead times the projector's matrix, transposed."""

    def replace(self, name, gradient):
        if name != "encoder.dfinal":
            return gradient
        return self.seen["dembedding"][:, : gradient.shape[1], : gradient.shape[2]].copy()


class mean_given_whole(Hooked):
    """This is the gradient you get when each patch takes all of the gradient of its area's mean: of n patches each has
    a share of 1 / n in it."""

    def replace(self, name, gradient):
        return 2 * gradient if name == "encoder.dfinal" else gradient  # two patches an area


BUGS = (
    *planted("model", "transformer", "ViT", class_token_of_the_first_image, class_token_averaged),
    *planted("model", "transformer", "ViT", class_token_not_cut_off, patch_bias_of_one_image),
    *planted("model", "transformer", "ViT, of images", kernel_turned_round, pixels_of_the_next_patch),
    *planted("model", "transformer", "ViT, of images", patches_column_by_column),
    *planted("model", "transformer", "an image ahead of a text", image_gradient_of_the_text, projector_forgotten),
    *planted("model", "transformer", "halves of an image's sides ahead of a text", mean_given_whole),
    *planted("model", "transformer", "Whisper", stride_forgotten, memory_forgotten, memory_of_the_last_block),
)
