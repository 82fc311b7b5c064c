#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what all peers of one comparison share: weights, pictures, and what PyTorch in fp32 makes of them.

    encoder.safetensors   the encoder, under the published names
    model.safetensors     encoder, bottleneck and decoder
    pictures.safetensors  pictures [N, 3, 392, 392]; the first one's map [256, 256]; the loss of all without dropout
    network.onnx          pictures to maps, for a fixed batch
    network_int8.onnx     the same with its products in 8 bits, where onnxruntime is installed
"""
import argparse
import pathlib

import network
import torch
from safetensors.torch import save_file


def write_weights(net, folder):
    tensors = {name: parameter.detach().contiguous() for name, parameter in net.named_parameters()}
    save_file(tensors, folder / "model.safetensors")
    encoder = {name.removeprefix("encoder."): t for name, t in tensors.items() if name.startswith("encoder.")}
    save_file(encoder, folder / "encoder.safetensors")


def write_onnx(judge, pictures, folder):
    """Opset 23 has attention as one operator; ONNX Runtime gains from it."""
    program = torch.onnx.export(judge, (pictures,), dynamo=True, opset_version=23, input_names=["pictures"],
                                output_names=["maps"], verbose=False)
    program.save(str(folder / "network.onnx"))
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        return
    quantize_dynamic(folder / "network.onnx", folder / "network_int8.onnx", per_channel=True,
                     weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", type=pathlib.Path, required=True, help="folder of dinomaly_torch.py")
    parser.add_argument("--arch", default="small", choices=("small", "base", "large"))
    parser.add_argument("--pictures", type=int, default=1, help="how many pictures, and with how many the loss is taken")
    parser.add_argument("--onnx", type=int, default=0, metavar="BATCH", help="export for batches of this size")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    oracle = network.import_oracle(arguments.oracle)
    net = network.make(oracle, arguments.arch)
    oracle.randomize(net, 1, 0.02)
    write_weights(net, arguments.out)
    network.fix_position(net)
    pictures = torch.randn(arguments.pictures, 3, network.CROP, network.CROP,
                           generator=torch.Generator().manual_seed(2))
    net.eval()
    with torch.no_grad():
        en, de = net(pictures)
        loss = oracle.loose_loss(en, [x.clone().requires_grad_() for x in de], 0.0, 0.1)  # it hooks their gradients
        expected = oracle.anomaly_map(*net(pictures[:1]), network.CROP)
        judge = network.Judge(net)
        save_file({"pictures": pictures, "map": expected[0, 0].contiguous(), "loss": loss.reshape(1)},
                  arguments.out / "pictures.safetensors")
        if arguments.onnx:
            write_onnx(judge, pictures[:arguments.onnx], arguments.out)


if __name__ == "__main__":
    main()
