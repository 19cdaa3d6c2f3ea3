// Stands for cuBLAS in tests: what calls are handed is checked as far as cuBLAS checks it, and more: the order in
// which a handle is set up, addresses within memory of the card. Products are plain sums, in the stream of the handle.
#include "library.h"
#include <cstring>
#include <set>
#include <vector>

enum { NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

namespace {
int version[2] = {12, 8};
struct Handle { void* stream; bool hasWorkspace; bool isDefault; };
std::set<Handle*> handles;

// Products of one shape: of matrices that lie so far apart, or of listed ones.
template <class T> struct Gemm {
  int ta, tb, m, n, k, lda, ldb, ldc, count;
  T alpha, beta;
  const T *a, *b;
  T* c;
  long long strideA, strideB, strideC;
  const T *const *listA, *const *listB;
  T* const* listC;
  // Bits that factors in float32 lose.
  int lost;
};
double rounded(double value, int) { return value; }
// To nearest, to even.
float rounded(float value, int lost) {
  if (lost == 0) return value;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits += (1u << (lost - 1)) - 1 + (bits >> lost & 1u);
  bits &= ~((1u << lost) - 1);
  memcpy(&value, &bits, 4);
  return value;
}
size_t reach(int rows, int columns, int ld) { return (size_t)ld * (columns - 1) + rows; }
template <class T> int run(const void* given, unsigned, unsigned) {
  const Gemm<T>& g = *(const Gemm<T>*)given;
  if (g.listA != nullptr)
    for (const void* list : {(const void*)g.listA, (const void*)g.listB, (const void*)g.listC})
      if (!within(list, 8 * g.count)) return 1;
  for (int p = 0; p < g.count; p++) {
    const T* a = g.listA != nullptr ? g.listA[p] : g.a + p * g.strideA;
    const T* b = g.listA != nullptr ? g.listB[p] : g.b + p * g.strideB;
    T* c = g.listA != nullptr ? g.listC[p] : g.c + p * g.strideC;
    const bool inside = within(a, sizeof(T) * (g.ta ? reach(g.k, g.m, g.lda) : reach(g.m, g.k, g.lda))) &&
      within(b, sizeof(T) * (g.tb ? reach(g.n, g.k, g.ldb) : reach(g.k, g.n, g.ldb))) &&
      within(c, sizeof(T) * reach(g.m, g.n, g.ldc));
    if (!inside) return 1;
    std::vector<T> sums(g.m);
    for (int j = 0; j < g.n; j++) {
      sums.assign(g.m, 0);
      for (int d = 0; d < g.k; d++) {
        const T factor = rounded(g.tb ? b[j + (size_t)d * g.ldb] : b[d + (size_t)j * g.ldb], g.lost);
        const T* column = a + (g.ta ? (size_t)d : (size_t)d * g.lda);
        const size_t step = g.ta ? g.lda : 1;
        for (int i = 0; i < g.m; i++) sums[i] += rounded(column[i * step], g.lost) * factor;
      }
      T* to = c + (size_t)j * g.ldc;
      for (int i = 0; i < g.m; i++) to[i] = g.alpha * sums[i] + (g.beta == 0 ? 0 : g.beta * to[i]);
    }
  }
  return 0;
}
template <class T> bool fits(const Gemm<T>& g) {
  return (g.ta == 0 || g.ta == 1) && (g.tb == 0 || g.tb == 1) && g.m > 0 && g.n > 0 && g.k > 0 && g.count > 0 &&
    g.lda >= (g.ta ? g.k : g.m) && g.ldb >= (g.tb ? g.n : g.k) && g.ldc >= g.m;
}
template <class T> std::string text(const Gemm<T>& g) {
  return std::string(g.ta ? "T" : "N") + (g.tb ? "T" : "N") + " " + std::to_string(g.m) + "x" + std::to_string(g.n) +
    "x" + std::to_string(g.k) + " " + std::to_string(g.count);
}
bool isReady(Handle* handle) {
  return handles.count(handle) == 1 && handle->stream != nullptr && handle->hasWorkspace && handle->isDefault;
}
template <class T> int submit(const char* name, Handle* handle, const Gemm<T>& g) {
  if (const int status = call(name, text(g))) return status;
  if (!isReady(handle)) return NOT_INITIALIZED;
  if (!fits(g)) return INVALID_VALUE;
  return launch(handle->stream, run<T>, &g, sizeof g, false) ? 0 : EXECUTION_FAILED;
}
}

EXPORT void standInCublas(int major, int minor) { version[0] = major; version[1] = minor; }
EXPORT long long standInHandles() { return handles.size(); }

EXPORT int cublasGetProperty(int type, int* to) {
  if (type < 0 || type > 2) return INVALID_VALUE;
  *to = type < 2 ? version[type] : 0;
  return 0;
}
EXPORT int cublasCreate_v2(Handle** to) {
  if (const int status = call("cublasCreate_v2", "")) return status;
  handles.insert(*to = new Handle{});
  return 0;
}
EXPORT int cublasDestroy_v2(Handle* handle) {
  if (handles.erase(handle) != 1) return NOT_INITIALIZED;
  delete handle;
  return 0;
}
// With a stream a handle forgets its workspace.
EXPORT int cublasSetStream_v2(Handle* handle, void* stream) {
  if (handles.count(handle) != 1) return NOT_INITIALIZED;
  handle->stream = stream;
  handle->hasWorkspace = false;
  return 0;
}
EXPORT int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
  if (const int status = call("cublasSetWorkspace_v2", std::to_string(bytes))) return status;
  if (handles.count(handle) != 1) return NOT_INITIALIZED;
  if ((uint64_t)workspace % 256 != 0 || bytes < 16384 || !within(workspace, bytes)) return INVALID_VALUE;
  handle->hasWorkspace = true;
  return 0;
}
EXPORT int cublasSetMathMode(Handle* handle, int mode) {
  if (handles.count(handle) != 1) return NOT_INITIALIZED;
  handle->isDefault = mode == 0;
  return 0;
}

#define GEMMS(T, letter) \
EXPORT int cublas##letter##gemm_v2(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, \
    int lda, const T* b, int ldb, const T* beta, T* c, int ldc) { \
  return submit(__func__, handle, Gemm<T>{ta, tb, m, n, k, lda, ldb, ldc, 1, *alpha, *beta, a, b, c, 0, 0, 0}); \
} \
EXPORT int cublas##letter##gemmStridedBatched(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, \
    const T* a, int lda, long long strideA, const T* b, int ldb, long long strideB, const T* beta, T* c, int ldc, \
    long long strideC, int count) { \
  return submit(__func__, handle, \
    Gemm<T>{ta, tb, m, n, k, lda, ldb, ldc, count, *alpha, *beta, a, b, c, strideA, strideB, strideC}); \
} \
EXPORT int cublas##letter##gemmBatched(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, \
    const T* const* a, int lda, const T* const* b, int ldb, const T* beta, T* const* c, int ldc, int count) { \
  return submit(__func__, handle, \
    Gemm<T>{ta, tb, m, n, k, lda, ldb, ldc, count, *alpha, *beta, nullptr, nullptr, nullptr, 0, 0, 0, a, b, c}); \
}
// Of CUDA 12.5 and later.
#define GROUPS(T, letter) \
EXPORT int cublas##letter##gemmGroupedBatched(Handle* handle, const int* ta, const int* tb, const int* m, \
    const int* n, const int* k, const T* alpha, const T* const* a, const int* lda, const T* const* b, \
    const int* ldb, const T* beta, T* const* c, const int* ldc, int groups, const int* counts) { \
  std::string detail = std::to_string(groups); \
  for (int i = 0; i < groups; i++) detail += " " + std::to_string(m[i]) + "x" + std::to_string(n[i]) + "x" + \
    std::to_string(k[i]) + "*" + std::to_string(counts[i]); \
  if (const int status = call(__func__, detail)) return status; \
  if (!isReady(handle)) return NOT_INITIALIZED; \
  for (int i = 0; i < groups; i++) { \
    const Gemm<T> g{ta[i], tb[i], m[i], n[i], k[i], lda[i], ldb[i], ldc[i], counts[i], alpha[i], beta[i], nullptr, \
      nullptr, nullptr, 0, 0, 0, a, b, c}; \
    if (!fits(g)) return INVALID_VALUE; \
    if (!launch(handle->stream, run<T>, &g, sizeof g, true)) return EXECUTION_FAILED; \
    a += counts[i]; \
    b += counts[i]; \
    c += counts[i]; \
  } \
  return 0; \
}
GEMMS(double, D)
GEMMS(float, S)

// CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32 and _16BF, CUBLAS_GEMM_DEFAULT.
static int submitRounded(const char* name, Handle* handle, Gemm<float> g, const int (&types)[3], int compute, int way) {
  if (types[0] != 0 || types[1] != 0 || types[2] != 0 || way != -1) return NOT_SUPPORTED;
  g.lost = compute == 77 ? 13 : compute == 75 ? 16 : 0;
  return g.lost == 0 ? NOT_SUPPORTED : submit(name, handle, g);
}
EXPORT int cublasGemmEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha, const void* a,
    int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c, int typeC, int ldc, int compute,
    int way) {
  return submitRounded(__func__, handle, Gemm<float>{ta, tb, m, n, k, lda, ldb, ldc, 1, *(const float*)alpha,
    *(const float*)beta, (const float*)a, (const float*)b, (float*)c}, {typeA, typeB, typeC}, compute, way);
}
EXPORT int cublasGemmStridedBatchedEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha,
    const void* a, int typeA, int lda, long long strideA, const void* b, int typeB, int ldb, long long strideB,
    const void* beta, void* c, int typeC, int ldc, long long strideC, int count, int compute, int way) {
  return submitRounded(__func__, handle, Gemm<float>{ta, tb, m, n, k, lda, ldb, ldc, count, *(const float*)alpha,
    *(const float*)beta, (const float*)a, (const float*)b, (float*)c, strideA, strideB, strideC},
    {typeA, typeB, typeC}, compute, way);
}
EXPORT int cublasGemmBatchedEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha,
    const void* const* a, int typeA, int lda, const void* const* b, int typeB, int ldb, const void* beta,
    void* const* c, int typeC, int ldc, int count, int compute, int way) {
  return submitRounded(__func__, handle, Gemm<float>{ta, tb, m, n, k, lda, ldb, ldc, count, *(const float*)alpha,
    *(const float*)beta, nullptr, nullptr, nullptr, 0, 0, 0, (const float* const*)a, (const float* const*)b,
    (float* const*)c}, {typeA, typeB, typeC}, compute, way);
}
#ifndef WITHOUT_GROUPS
GROUPS(double, D)
GROUPS(float, S)
#endif
