#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer ONNX Runtime: fp32, or int8 by dynamic quantisation. Started by compare.py (worker.py)."""
import onnxruntime
import worker
from safetensors.numpy import load_file


def main():
    arguments = worker.parse_arguments(__doc__, ("fp32", "int8"))
    answers = worker.own_output()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    name = "network.onnx" if arguments.precision == "fp32" else "network_int8.onnx"
    session = onnxruntime.InferenceSession(str(arguments.files / name), options, providers=["CPUExecutionProvider"])
    pictures = load_file(arguments.files / "pictures.safetensors")
    batch = pictures["pictures"][:arguments.batch]

    def work():
        return session.run(None, {"pictures": batch})[0]

    difference = worker.map_difference(work()[0, 0], pictures["map"])
    worker.serve(answers, onnxruntime.__version__, difference, work)


if __name__ == "__main__":
    main()
