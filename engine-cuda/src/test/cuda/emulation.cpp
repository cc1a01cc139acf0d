// A CUDA driver without a device: the functions of libcuda.so.1 that the backend calls, over host memory and the kernels compiled for the
// host. Every allocation stands between guards that are checked when it is freed and whenever a stream is waited for. Streams do nothing until
// they are waited for.
#include "kernels.cu"
#if __has_include(<cuda.h>)
// Where NVIDIA's header is at hand, it checks the declarations below.
#include <cuda.h>
#endif
#include <climits>
#include <deque>
#include <functional>
#include <set>
#include <vector>

namespace emulation {

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, ENDED };

struct Fiber {
    void* sp;
    State state;
    int parity;
};

static Fiber fibers[MOST_THREADS];
static char* stacks;
static void* scheduler;
static int current;
static void (*running)(void*);
static void* runningArgument;
static Exchange exchanges[MOST_THREADS / LANES];

#if defined(__x86_64__)
extern "C" void emulation_switch(void** from, void* to);
asm(R"(
.text
.globl emulation_switch
.type emulation_switch, @function
emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulation_switch, .-emulation_switch
)");
static const int SAVED = 6;
#elif defined(__aarch64__)
extern "C" void emulation_switch(void** from, void* to);
asm(R"(
.text
.globl emulation_switch
.type emulation_switch, %function
emulation_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#else
#error "fibers are written for x86-64 and AArch64"
#endif

static void run_fiber() {
    running(runningArgument);
    fibers[current].state = ENDED;
    void* unused;
    emulation_switch(&unused, scheduler);
    abort();
}

static void start(int i) {
    char* top = stacks + (i + 1) * STACK;
#if defined(__x86_64__)
    void** sp = (void**)top - 2 - SAVED;
    memset(sp, 0, SAVED * sizeof(void*));
    sp[SAVED] = (void*)run_fiber;
    fibers[i].sp = sp;
#else
    void** sp = (void**)(top - 160);
    memset(sp, 0, 160);
    sp[11] = (void*)run_fiber;
    fibers[i].sp = sp;
#endif
    fibers[i].state = READY;
    fibers[i].parity = 0;
}

static void leave(State state) {
    fibers[current].state = state;
    emulation_switch(&fibers[current].sp, scheduler);
}

void block_barrier() {
    leave(AT_BLOCK_BARRIER);
}

void warp_barrier() {
    leave(AT_WARP_BARRIER);
}

uint32_t (*exchange(const uint32_t* words, int count))[6] {
    auto room = exchanges[threadIdx.x / LANES].words[fibers[current].parity ^= 1];
    memcpy(room[threadIdx.x % LANES], words, count * sizeof(uint32_t));
    warp_barrier();
    return room;
}

static bool all(int from, int to, State state) {
    bool any = false;
    for (int i = from; i < to; i++) {
        if (fibers[i].state != ENDED) {
            if (fibers[i].state != state) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

static void release(int from, int to) {
    for (int i = from; i < to; i++) {
        if (fibers[i].state != ENDED) {
            fibers[i].state = READY;
        }
    }
}

/** Runs the threads [from, to) until each has ended or waits. Returns whether any ran. */
static bool turn(int from, int to, bool backwards) {
    bool ran = false;
    for (int n = from; n < to; n++) {
        int i = backwards ? to - 1 - (n - from) : n;
        if (fibers[i].state == READY) {
            current = i;
            threadIdx = Dim{(unsigned)i, 0, 0};
            emulation_switch(&scheduler, fibers[i].sp);
            ran = true;
        }
    }
    return ran;
}

static void run_block(int threads, bool backwards) {
    for (int i = 0; i < threads; i++) {
        start(i);
    }
    while (true) {
        bool ran = false;
        for (int w = 0; w < threads; w += LANES) {
            int from = backwards ? (threads - 1) / LANES * LANES - w : w;
            int to = std::min(from + LANES, threads);
            while (turn(from, to, backwards)) {
                ran = true;
                if (all(from, to, AT_WARP_BARRIER)) {
                    release(from, to);
                }
            }
        }
        if (all(0, threads, AT_BLOCK_BARRIER)) {
            release(0, threads);
        } else if (!ran) {
            for (int i = 0; i < threads; i++) {
                if (fibers[i].state != ENDED) {
                    throw std::runtime_error("threads wait for each other at different barriers");
                }
            }
            return;
        }
    }
}

void launch(void (*body)(void*), void* argument, Dim grid, Dim block) {
    if (stacks == nullptr) {
        stacks = (char*)aligned_alloc(4096, MOST_THREADS * STACK);
    }
    if (block.x == 0 || block.x > MOST_THREADS || grid.x == 0 || grid.y == 0 || grid.z == 0) {
        throw std::runtime_error("no such grid");
    }
    running = body;
    runningArgument = argument;
    gridDim = grid;
    blockDim = block;
    bool backwards = false;
    for (unsigned z = 0; z < grid.z; z++) {
        for (unsigned y = 0; y < grid.y; y++) {
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = Dim{x, y, z};
                run_block((int)block.x, backwards);
                backwards = !backwards;
            }
        }
    }
}

// ---- the driver ----

static const size_t GUARD = 256;
static const unsigned char MARK = 0xA5;
static const size_t MEMORY = 1u << 30;

struct Graph;

static std::map<char*, size_t> allocations;
static size_t allocated;
static std::string failing;
static int failure;
static std::vector<struct Launch>* capturing;
static long long graphLaunches;

struct Launch {
    Kernel* kernel;
    Dim grid;
    Dim block;
    std::vector<uint64_t> parameters;
    const char* name;

    /** Returns a code of the driver. */
    int run() {
        std::vector<void*> pointers;
        for (auto& parameter : parameters) {
            pointers.push_back(&parameter);
        }
        struct Call { Kernel* kernel; void** parameters; } call{kernel, pointers.data()};
        try {
            launch([](void* c) { ((Call*)c)->kernel->invoke(((Call*)c)->kernel->function, ((Call*)c)->parameters); }, &call, grid, block);
            return 0;
        } catch (std::exception& e) {
            fprintf(stderr, "emulated kernel %s: %s\n", name, e.what());
            return 719;
        }
    }
};

static bool intact(char* memory, size_t size) {
    for (size_t i = 0; i < GUARD; i++) {
        if ((unsigned char)memory[-1 - (ptrdiff_t)i] != MARK || (unsigned char)memory[size + i] != MARK) {
            return false;
        }
    }
    return true;
}

static bool all_intact() {
    for (auto& [memory, size] : allocations) {
        if (!intact(memory, size)) {
            return false;
        }
    }
    return true;
}

/**
 * Work waits in its stream until somebody must see its result: a stream that forgets to wait for another one works on what was there before, and
 * host memory that is written too early is read as it is then.
 */
struct Stream {
    std::deque<std::function<int()>> waiting;
    long long given = 0;
    long long done = 0;
};

struct Event {
    Stream* stream = nullptr;
    long long position = 0;
};

static std::set<Stream*> streams;

static int enqueue(void* stream, std::function<int()> work) {
    ((Stream*)stream)->waiting.push_back(work);
    ((Stream*)stream)->given++;
    return 0;
}

/** Does what a stream was given first, up to a number of works; returns the code of the first that fails. */
static int catch_up(Stream* stream, long long position) {
    while (stream->done < position && !stream->waiting.empty()) {
        std::function<int()> work = stream->waiting.front();
        stream->waiting.pop_front();
        stream->done++;
        if (int code = work()) {
            return code;
        }
    }
    return 0;
}

static int fails(const char* function) {
    if (failing == function) {
        failing.clear();
        return failure;
    }
    return 0;
}

}  // namespace emulation

using namespace emulation;

#ifdef CUDA_VERSION
#define RESULT CUresult CUDAAPI
#define OK CUDA_SUCCESS
#else
typedef int CUresult;
typedef int CUdevice;
typedef int CUdevice_attribute;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;
typedef int CUstreamCaptureMode;
#define RESULT CUresult
#define OK 0
#endif

#define ANSWER(function)                         \
    if (int code = fails(function)) {            \
        return (CUresult)code;                   \
    }

extern "C" {

/** The next call of this function answers this code. */
void emulation_fail_next(const char* function, int code) {
    failing = function;
    failure = code;
}

/** How many graphs have run. */
long long emulation_graph_launches() {
    return graphLaunches;
}

RESULT cuInit(unsigned) { ANSWER("cuInit") return OK; }

RESULT cuDriverGetVersion(int* version) {
    *version = 13000;
    return OK;
}

RESULT cuDeviceGetCount(int* count) {
    ANSWER("cuDeviceGetCount")
    *count = 1;
    return OK;
}

RESULT cuDeviceGet(CUdevice* device, int) {
    *device = 0;
    return OK;
}

RESULT cuDeviceGetName(char* name, int length, CUdevice) {
    snprintf(name, length, "emulated device");
    return OK;
}

RESULT cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
    *value = (int)attribute == 75 ? 9 : (int)attribute == 16 ? 1 : 0;
    return OK;
}

RESULT cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
    ANSWER("cuDevicePrimaryCtxRetain")
    *context = (CUcontext)&allocations;
    return OK;
}

RESULT cuDevicePrimaryCtxRelease_v2(CUdevice) { return OK; }
RESULT cuCtxSetCurrent(CUcontext) { return OK; }

RESULT cuMemGetInfo_v2(size_t* free, size_t* total) {
    *free = MEMORY - allocated;
    *total = MEMORY;
    return OK;
}

RESULT cuMemAlloc_v2(CUdeviceptr* address, size_t size) {
    ANSWER("cuMemAlloc_v2")
    if (size > MEMORY - allocated) {
        return (CUresult)2;
    }
    char* room = (char*)aligned_alloc(256, (size + 2 * GUARD + 255) / 256 * 256);
    memset(room, MARK, size + 2 * GUARD);
    // Fresh memory holds anything.
    memset(room + GUARD, 0xFF, size);
    allocations[room + GUARD] = size;
    allocated += size;
    *address = (CUdeviceptr)(uintptr_t)(room + GUARD);
    return OK;
}

RESULT cuMemFree_v2(CUdeviceptr address) {
    for (Stream* stream : streams) {
        if (int code = catch_up(stream, LLONG_MAX)) {
            return (CUresult)code;
        }
    }
    auto found = allocations.find((char*)(uintptr_t)address);
    if (found == allocations.end()) {
        return (CUresult)1;
    }
    bool whole = intact(found->first, found->second);
    allocated -= found->second;
    free(found->first - GUARD);
    allocations.erase(found);
    return (CUresult)(whole ? 0 : 700);
}

RESULT cuMemHostAlloc(void** memory, size_t size, unsigned) {
    ANSWER("cuMemHostAlloc")
    *memory = malloc(size);
    return OK;
}

RESULT cuMemFreeHost(void* memory) {
    free(memory);
    return OK;
}

RESULT cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t size) {
    ANSWER("cuMemcpyHtoD_v2")
    memcpy((void*)(uintptr_t)to, from, size);
    return OK;
}

RESULT cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t size) {
    ANSWER("cuMemcpyDtoH_v2")
    memcpy(to, (const void*)(uintptr_t)from, size);
    return OK;
}

RESULT cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t size, CUstream stream) {
    ANSWER("cuMemcpyHtoD_v2")
    return (CUresult)enqueue(stream, [=] { memcpy((void*)(uintptr_t)to, from, size); return 0; });
}

RESULT cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t size, CUstream stream) {
    ANSWER("cuMemcpyDtoH_v2")
    return (CUresult)enqueue(stream, [=] { memcpy(to, (const void*)(uintptr_t)from, size); return 0; });
}

RESULT cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t size, CUstream stream) {
    return (CUresult)enqueue(stream, [=] { memset((void*)(uintptr_t)to, value, size); return 0; });
}

RESULT cuStreamCreate(CUstream* stream, unsigned) {
    Stream* made = new Stream();
    streams.insert(made);
    *stream = (CUstream)made;
    return OK;
}

RESULT cuStreamDestroy_v2(CUstream stream) {
    int code = catch_up((Stream*)stream, LLONG_MAX);
    streams.erase((Stream*)stream);
    delete (Stream*)stream;
    return (CUresult)code;
}

RESULT cuStreamSynchronize(CUstream stream) {
    ANSWER("cuStreamSynchronize")
    int code = catch_up((Stream*)stream, LLONG_MAX);
    return (CUresult)(code != 0 ? code : all_intact() ? 0 : 700);
}

RESULT cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    // What was recorded last counts, even if the event is recorded anew before the stream comes here.
    Event now = *(Event*)event;
    return (CUresult)enqueue(stream, [now] { return now.stream == nullptr ? 0 : catch_up(now.stream, now.position); });
}

RESULT cuEventCreate(CUevent* event, unsigned) {
    *event = (CUevent) new Event();
    return OK;
}

RESULT cuEventRecord(CUevent event, CUstream stream) {
    *(Event*)event = Event{(Stream*)stream, ((Stream*)stream)->given};
    return OK;
}

RESULT cuEventDestroy_v2(CUevent event) {
    delete (Event*)event;
    return OK;
}

RESULT cuStreamBeginCapture_v2(CUstream, CUstreamCaptureMode) {
    capturing = new std::vector<Launch>();
    return OK;
}

RESULT cuStreamEndCapture(CUstream, CUgraph* graph) {
    *graph = (CUgraph)capturing;
    capturing = nullptr;
    return OK;
}

RESULT cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
    ANSWER("cuGraphInstantiateWithFlags")
    *executable = (CUgraphExec) new std::vector<Launch>(*(std::vector<Launch>*)graph);
    return OK;
}

RESULT cuGraphDestroy(CUgraph graph) {
    delete (std::vector<Launch>*)graph;
    return OK;
}

RESULT cuGraphExecDestroy(CUgraphExec executable) {
    delete (std::vector<Launch>*)executable;
    return OK;
}

RESULT cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    graphLaunches++;
    std::vector<Launch> launches = *(std::vector<Launch>*)executable;
    return (CUresult)enqueue(stream, [launches]() mutable {
        for (Launch& each : launches) {
            if (int code = each.run()) {
                return code;
            }
        }
        return 0;
    });
}

RESULT cuModuleLoadData(CUmodule* module, const void* image) {
    ANSWER("cuModuleLoadData")
    if (memcmp(image, "EMULATED", 8) != 0) {
        return (CUresult)200;
    }
    *module = (CUmodule)&emulation::kernels();
    return OK;
}

RESULT cuModuleUnload(CUmodule) { return OK; }

RESULT cuModuleGetFunction(CUfunction* function, CUmodule, const char* name) {
    auto found = emulation::kernels().find(name);
    if (found == emulation::kernels().end()) {
        return (CUresult)500;
    }
    *function = (CUfunction)&*found;
    return OK;
}

RESULT cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                      CUstream stream, void** parameters, void**) {
    ANSWER("cuLaunchKernel")
    auto& entry = *(std::pair<const std::string, Kernel>*)function;
    // Slots of 8 bytes, as many as any kernel takes: the launcher's room is larger than that.
    Launch each{&entry.second, Dim{gx, gy, gz}, Dim{bx, by, bz}, {}, nullptr};
    for (int i = 0; parameters[i] != nullptr; i++) {
        each.parameters.push_back(*(uint64_t*)parameters[i]);
    }
    each.name = entry.first.c_str();
    if (capturing != nullptr) {
        capturing->push_back(each);
        return OK;
    }
    return (CUresult)enqueue(stream, [each]() mutable { return each.run(); });
}

RESULT cuGetErrorName(CUresult error, const char** name) {
    *name = (int)error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_EMULATED";
    return OK;
}

RESULT cuGetErrorString(CUresult, const char** text) {
    *text = "as asked of the emulation";
    return OK;
}

}  // extern "C"
