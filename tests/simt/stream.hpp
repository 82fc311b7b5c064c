// SPDX-License-Identifier: Apache-2.0
// Streams, events and graphs. Work handed to a stream goes into its queue, except during a capture: then it is kept as
// a node of the graph, which goes there whenever the graph is launched.
//
// The default stream is one like the others: all are made so that they do not wait for it, nor it for them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "queue.hpp"
#include "status.hpp"

struct CUgraph_st {
    std::vector<std::function<void()>> nodes;
};
struct CUgraphExec_st {
    std::vector<std::function<void()>> nodes;
};
struct CUstream_st {
    simt::detail::Queue queue;
    std::unique_ptr<CUgraph_st> capture;  // null when work goes into the queue
    bool invalidated = false;             // by a call that a capture forbids
};
struct CUevent_st {
    std::shared_ptr<simt::detail::Queue::Mark> mark;  // of the last record; null before the first
};
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;
using cudaGraph_t = CUgraph_st*;
using cudaGraphExec_t = CUgraphExec_st*;

enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2,
};
enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone = 0,
    cudaStreamCaptureStatusActive = 1,
    cudaStreamCaptureStatusInvalidated = 2,
};
inline constexpr unsigned cudaStreamDefault = 0, cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDefault = 0, cudaEventDisableTiming = 2;

namespace simt {

namespace detail {

inline Queue& queue(cudaStream_t stream) {
    static Queue& of_default_stream = *new Queue;  // outlives what is waited for as the program ends
    return stream ? stream->queue : of_default_stream;
}

/// The stream that this host thread captures in a mode that forbids memory calls.
inline constinit thread_local cudaStream_t captured = nullptr;

/// What calls of this host thread that allocate may do while it captures.
inline constinit thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;

/// For calls that wait, and for events: a status other than success, and the capture is lost, where there is one.
inline cudaError_t refuse_in_capture(cudaStream_t stream) {
    if (!stream || !stream->capture) return cudaSuccess;
    stream->invalidated = true;
    return cudaErrorStreamCaptureUnsupported;
}

/// The same for calls that allocate, unless this thread may.
inline cudaError_t refuse_memory_call() {
    return mode == cudaStreamCaptureModeRelaxed ? cudaSuccess : refuse_in_capture(captured);
}

}  // namespace detail

/// Hands work to a stream, as launches and copies do.
inline cudaError_t submit(cudaStream_t stream, std::function<void()> work) {
    if (!stream || !stream->capture) {
        detail::queue(stream).push(std::move(work));
        return cudaSuccess;
    }
    if (stream->invalidated) return detail::done(cudaErrorStreamCaptureInvalidated);
    stream->capture->nodes.push_back(std::move(work));
    return cudaSuccess;
}

}  // namespace simt

inline cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    std::swap(*mode, simt::detail::mode);
    return cudaSuccess;
}

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    *stream = nullptr;
    if (flags != cudaStreamNonBlocking) return simt::detail::done(cudaErrorInvalidValue);
    *stream = new CUstream_st{};
    return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (!stream) return simt::detail::done(cudaErrorInvalidValue);
    if (simt::detail::captured == stream) simt::detail::captured = nullptr;
    stream->queue.finish();
    delete stream;
    return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const cudaError_t refused = simt::detail::refuse_in_capture(stream);
    if (refused == cudaSuccess) simt::detail::queue(stream).finish();
    return simt::detail::done(refused);
}
inline cudaError_t cudaDeviceSynchronize() {
    const cudaError_t refused = simt::detail::refuse_in_capture(simt::detail::captured);
    if (refused == cudaSuccess) simt::detail::Queue::finish_all();
    return simt::detail::done(refused);
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    if (!stream || stream->capture || simt::detail::captured) return simt::detail::done(cudaErrorInvalidValue);
    stream->capture = std::make_unique<CUgraph_st>();
    stream->invalidated = false;
    if (mode != cudaStreamCaptureModeRelaxed) simt::detail::captured = stream;
    return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    *graph = nullptr;
    if (!stream || !stream->capture) return simt::detail::done(cudaErrorInvalidValue);
    if (simt::detail::captured == stream) simt::detail::captured = nullptr;
    std::unique_ptr<CUgraph_st> captured = std::move(stream->capture);
    if (stream->invalidated) return simt::detail::done(cudaErrorStreamCaptureInvalidated);
    *graph = captured.release();
    return cudaSuccess;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    *status = !stream || !stream->capture ? cudaStreamCaptureStatusNone
              : stream->invalidated       ? cudaStreamCaptureStatusInvalidated
                                          : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long = 0) {
    *ready = nullptr;
    if (!graph) return simt::detail::done(cudaErrorInvalidValue);
    *ready = new CUgraphExec_st{graph->nodes};
    return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream) {
    if (!ready) return simt::detail::done(cudaErrorInvalidValue);
    for (const std::function<void()>& node : ready->nodes)
        if (const cudaError_t status = simt::submit(stream, node); status != cudaSuccess) return status;
    return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) {
    delete ready;
    return cudaSuccess;
}

inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st{};
    return cudaSuccess;
}
inline cudaError_t cudaEventCreate(cudaEvent_t* event) {
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr) {
    const cudaError_t refused = simt::detail::refuse_in_capture(stream);
    if (refused == cudaSuccess) event->mark = simt::detail::queue(stream).mark();
    return simt::detail::done(refused);
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const cudaError_t refused = simt::detail::refuse_in_capture(simt::detail::captured);
    if (refused == cudaSuccess && event->mark) event->mark->reach();
    return simt::detail::done(refused);
}
inline cudaError_t cudaEventQuery(cudaEvent_t event) {
    const cudaError_t refused = simt::detail::refuse_in_capture(simt::detail::captured);
    if (refused == cudaSuccess && event->mark && !event->mark->reached()) return simt::detail::done(cudaErrorNotReady);
    return simt::detail::done(refused);
}
/// The stream waits for the event as it was last recorded before this call.
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned = 0) {
    const cudaError_t refused = simt::detail::refuse_in_capture(stream);
    if (refused == cudaSuccess && event->mark)
        simt::detail::queue(stream).push([mark = event->mark] { mark->reach(); });
    return simt::detail::done(refused);
}
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    if (!from->mark || !to->mark) return simt::detail::done(cudaErrorInvalidValue);
    if (!from->mark->reached() || !to->mark->reached()) return simt::detail::done(cudaErrorNotReady);
    *milliseconds = std::chrono::duration<float, std::milli>(to->mark->time() - from->mark->time()).count();
    return cudaSuccess;
}
