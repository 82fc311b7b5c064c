#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer OpenVINO: fp32 or bf16, for latency, with fixed shapes. Started by compare.py (worker.py)."""
import openvino
import worker
from safetensors.numpy import load_file


def main():
    arguments = worker.parse_arguments(__doc__, ("fp32", "bf16"))
    answers = worker.own_output()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": arguments.threads,
                "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[arguments.precision]}
    compiled = openvino.Core().compile_model(str(arguments.files / "network.onnx"), "CPU", settings)
    pictures = load_file(arguments.files / "pictures.safetensors")
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(pictures["pictures"][:arguments.batch].copy(), shared_memory=True))

    def work():
        request.infer()
        return request.get_output_tensor().data

    difference = worker.map_difference(work()[0, 0], pictures["map"])
    worker.serve(answers, openvino.__version__.split("-")[0], difference, work)


if __name__ == "__main__":
    main()
