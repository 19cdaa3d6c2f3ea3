// What a kernel's source needs to be compiled for this processor, and how the threads of a block run: each on a stack
// of its own, one after the other, from barrier to barrier. They take turns forwards and backwards, so that a barrier
// that is missing shows; where all wait and none can go on, the launch fails.
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <ucontext.h>

#define PROCESSOR
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))

struct uint3 { unsigned x, y, z; };
struct __align__(16) float4 { float x, y, z, w; };
struct __align__(16) double2 { double x, y; };
static uint3 threadIdx, blockIdx, blockDim, gridDim;

using std::abs;
using std::exp;
using std::floor;
using std::log;
using std::sqrt;
using std::tanh;
static inline float min(float a, float b) { return a < b ? a : b; }
static inline float max(float a, float b) { return a > b ? a : b; }
static inline double min(double a, double b) { return a < b ? a : b; }
static inline double max(double a, double b) { return a > b ? a : b; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
template <class T> static inline T __ldg(const T* place) { return *place; }

namespace standin {
const int MOST = 1024, WARP = 32, STACK = 1 << 16;
enum Wait { RUNS, WARP_WAITS, BLOCK_WAITS, DONE };
struct Thread { jmp_buf at; Wait wait; unsigned exchanges; };
static Thread threads[MOST];
static char* stacks;
static jmp_buf scheduler;
static ucontext_t starter, started;
static int made, current;
static bool broken;
static void (*body)(const void*);
static const void* parameters;
static unsigned char exchanged[2][MOST][16];

static void turn(Wait wait) {
  Thread& own = threads[current];
  own.wait = wait;
  if (_setjmp(own.at) == 0) _longjmp(scheduler, 1);
}
// A thread's life: a launch's body, again and again.
static void live() {
  const int own = current;
  if (_setjmp(threads[own].at) == 0) swapcontext(&started, &starter);
  for (;;) {
    body(parameters);
    turn(DONE);
  }
}
static void make(int count) {
  // Every kernel has stacks for all threads that there may be. The kernel of the system does not count what is not
  // touched: it starts no programs from a process with more than the machine's memory in one area.
  if (stacks == nullptr) {
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* room = mmap(nullptr, (size_t)MOST * STACK, PROT_READ | PROT_WRITE, kind, -1, 0);
    if (room == MAP_FAILED) abort();
    stacks = (char*)room;
  }
  for (; made < count; made++) {
    getcontext(&started);
    started.uc_stack.ss_sp = stacks + (size_t)made * STACK;
    started.uc_stack.ss_size = STACK;
    started.uc_link = nullptr;
    current = made;
    makecontext(&started, live, 0);
    swapcontext(&starter, &started);
  }
}
static void resume(int thread) {
  current = thread;
  threadIdx = {(unsigned)thread, 0, 0};
  if (_setjmp(scheduler) == 0) _longjmp(threads[thread].at, 1);
}
static bool release(int first, int end, Wait wait) {
  int waiting = 0;
  for (int t = first; t < end; t++) {
    if (threads[t].wait == wait) waiting++;
    else if (threads[t].wait != DONE) return false;
  }
  for (int t = first; t < end && waiting > 0; t++)
    if (threads[t].wait == wait) threads[t].wait = RUNS;
  return waiting > 0;
}
static bool runBlock(int count) {
  for (int t = 0; t < count; t++) {
    threads[t].wait = RUNS;
    threads[t].exchanges = 0;
  }
  for (bool forwards = true;; forwards = !forwards) {
    for (int i = 0; i < count; i++) {
      const int t = forwards ? i : count - 1 - i;
      if (threads[t].wait == RUNS) resume(t);
    }
    bool goes = release(0, count, BLOCK_WAITS), done = true;
    for (int w = 0; w < count; w += WARP) goes = release(w, min(w + WARP, count), WARP_WAITS) || goes;
    for (int t = 0; t < count; t++) done = done && threads[t].wait == DONE;
    if (done) return true;
    if (!goes) return false;
  }
}
// 0 where every thread of every block came to its end.
static int run(void (*kernel)(const void*), const void* given, unsigned blocks, unsigned count) {
  if (count > (unsigned)MOST) return 1;
  // Threads that a signal ended in their midst are made anew.
  if (broken) made = 0;
  broken = true;
  body = kernel;
  parameters = given;
  make(count);
  gridDim = {blocks, 1, 1};
  blockDim = {count, 1, 1};
  for (unsigned b = 0; b < blocks; b++) {
    blockIdx = {b, 0, 0};
    if (!runBlock(count)) return 1;
  }
  broken = false;
  return 0;
}
template <class T> static T exchange(T value, int lane) {
  const int own = current;
  unsigned char (*slots)[16] = exchanged[threads[own].exchanges++ % 2];
  memcpy(slots[own], &value, sizeof(T));
  turn(WARP_WAITS);
  memcpy(&value, slots[own / WARP * WARP + lane], sizeof(T));
  return value;
}
}

static inline void __syncthreads() { standin::turn(standin::BLOCK_WAITS); }
static inline void __syncwarp(unsigned = ~0u) { standin::turn(standin::WARP_WAITS); }
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int mask) {
  return standin::exchange(value, (standin::current % standin::WARP) ^ mask);
}
template <class T> static inline T __shfl_sync(unsigned, T value, int lane) { return standin::exchange(value, lane); }

static inline unsigned __float_as_uint(float value) {
  unsigned bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float __uint_as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
// C(16, 8) += A(16, K) B(K, 8), as PTX hands the entries out: of A word n of a lane has row lane / 4 + 8 (n % 2), of B
// column lane / 4; both have numbers lane % 4 of the half n / 2, or n, along, of bf16 two each.
namespace standin {
static unsigned words[MOST][6];
template <bool PAIRS> static void multiply(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  const int own = current, first = own / WARP * WARP, lane = own % WARP;
  for (int n = 0; n < 6; n++) words[own][n] = n < 4 ? a[n] : b[n - 4];
  turn(WARP_WAITS);
  for (int e = 0; e < 4; e++) {
    const int row = lane / 4 + 8 * (e / 2), column = lane % 4 * 2 + e % 2;
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < 4; i++) {
        const unsigned x = words[first + row % 8 * 4 + i][2 * half + row / 8], y = words[first + column * 4 + i][4 + half];
        if (PAIRS) {
          c[e] += __uint_as_float(x << 16) * __uint_as_float(y << 16);
          c[e] += __uint_as_float(x & 0xffff0000u) * __uint_as_float(y & 0xffff0000u);
        } else c[e] += __uint_as_float(x) * __uint_as_float(y);
      }
    }
  }
  turn(WARP_WAITS);
}
}
static inline void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  standin::multiply<false>(c, a, b);
}
static inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  standin::multiply<true>(c, a, b);
}
