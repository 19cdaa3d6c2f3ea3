// Stands for cuSOLVER in tests: what calls are handed is checked as far as cuSOLVER checks it, and more: how a handle
// is set up, addresses within memory of the card, a stream that does not record. Factorizations are by columns; the
// status that "outcome" should fail with is what one tells instead.
#include "library.h"
#include <cmath>
#include <cstring>
#include <set>

#ifndef VERSION
#define VERSION 11, 7, 3
#endif

enum { NOT_INITIALIZED = 1, INVALID_VALUE = 3, EXECUTION_FAILED = 6, MATRIX_TYPE_NOT_SUPPORTED = 8 };

namespace {
int version[3] = {VERSION};
struct Parameters {};
struct Handle { void* stream; bool isDeterministic; };
std::set<Handle*> handles;
std::set<Parameters*> every;

template <class T> struct Factor { T* a; long long n, ld; char* workspace; size_t bytes; int* outcome; int told; };
// A pivot that is not a number is none that is told: its column is not a number, either.
template <class T> int run(const void* given, unsigned, unsigned) {
  const Factor<T>& f = *(const Factor<T>*)given;
  if (!within(f.a, sizeof(T) * (f.ld * (f.n - 1) + f.n)) || !within(f.workspace, f.bytes) || !within(f.outcome, 4))
    return 1;
  memset(f.workspace, 0xff, f.bytes);
  *f.outcome = f.told;
  if (f.told != 0) return 0;
  for (long long k = 0; k < f.n; k++) {
    T* column = f.a + k * f.ld;
    if (column[k] <= 0) {
      *f.outcome = k + 1;
      return 0;
    }
    const T root = std::sqrt(column[k]);
    for (long long i = k; i < f.n; i++) column[i] /= i == k ? root : column[k];
    for (long long j = k + 1; j < f.n; j++)
      for (long long i = j; i < f.n; i++) f.a[i + j * f.ld] -= column[i] * column[j];
  }
  return 0;
}
size_t bytesOf(long long n, int type) { return 40 * n * (type == 1 ? 8 : 4); }
const size_t HERE = 24;

int checked(Handle* handle, Parameters* parameters, int uplo, long long n, int type, const void* a, long long ld,
    int sums) {
  if (handles.count(handle) != 1 || every.count(parameters) != 1 || handle->stream == nullptr) return NOT_INITIALIZED;
#ifndef WITHOUT_MODES
  if (!handle->isDeterministic) return NOT_INITIALIZED;
#endif
  if (type != sums || type < 0 || type > 1) return MATRIX_TYPE_NOT_SUPPORTED;
  return uplo == 0 && n > 0 && ld >= n && a != nullptr ? 0 : INVALID_VALUE;
}
template <class T> int submit(Handle* handle, void* a, long long n, long long ld, void* workspace, size_t bytes,
    int* outcome) {
  const Factor<T> f{(T*)a, n, ld, (char*)workspace, bytes, outcome, call("outcome", "")};
  return launch(handle->stream, run<T>, &f, sizeof f, true) ? 0 : EXECUTION_FAILED;
}
}

EXPORT void standInCusolver(int major, int minor, int patch) {
  version[0] = major;
  version[1] = minor;
  version[2] = patch;
}
EXPORT long long standInSolvers() { return handles.size() + every.size(); }

EXPORT int cusolverGetProperty(int type, int* to) {
  if (type < 0 || type > 2) return INVALID_VALUE;
  *to = version[type];
  return 0;
}
EXPORT int cusolverDnCreate(Handle** to) {
  if (const int status = call("cusolverDnCreate", "")) return status;
  handles.insert(*to = new Handle{});
  return 0;
}
EXPORT int cusolverDnDestroy(Handle* handle) {
  if (handles.erase(handle) != 1) return NOT_INITIALIZED;
  delete handle;
  return 0;
}
EXPORT int cusolverDnSetStream(Handle* handle, void* stream) {
  if (const int status = call("cusolverDnSetStream", "")) return status;
  if (handles.count(handle) != 1) return NOT_INITIALIZED;
  handle->stream = stream;
  return 0;
}
EXPORT int cusolverDnCreateParams(Parameters** to) {
  if (const int status = call("cusolverDnCreateParams", "")) return status;
  every.insert(*to = new Parameters{});
  return 0;
}
EXPORT int cusolverDnDestroyParams(Parameters* parameters) {
  if (every.erase(parameters) != 1) return NOT_INITIALIZED;
  delete parameters;
  return 0;
}
#ifndef WITHOUT_MODES
// Older libraries lack it.
EXPORT int cusolverDnSetDeterministicMode(Handle* handle, int mode) {
  if (handles.count(handle) != 1) return NOT_INITIALIZED;
  if (mode != 1 && mode != 2) return INVALID_VALUE;
  handle->isDeterministic = mode == 1;
  return 0;
}
#endif
EXPORT int cusolverDnXpotrf_bufferSize(Handle* handle, Parameters* parameters, int uplo, long long n, int type,
    const void* a, long long ld, int sums, size_t* there, size_t* here) {
  if (const int status = call(__func__, std::to_string(n))) return status;
  if (const int status = checked(handle, parameters, uplo, n, type, a, ld, sums)) return status;
  *there = bytesOf(n, type);
  *here = HERE;
  return 0;
}
EXPORT int cusolverDnXpotrf(Handle* handle, Parameters* parameters, int uplo, long long n, int type, void* a,
    long long ld, int sums, void* workspace, size_t there, void* own, size_t here, int* outcome) {
  const std::string detail = std::string(type == 1 ? "D" : "S") + " " + std::to_string(n) + " " + std::to_string(ld);
  if (const int status = call(__func__, detail)) return status;
  if (const int status = checked(handle, parameters, uplo, n, type, a, ld, sums)) return status;
  if (there < bytesOf(n, type) || here < HERE || own == nullptr || (uint64_t)workspace % 16 != 0) return INVALID_VALUE;
  memset(own, 0xff, here);
  return type == 1 ? submit<double>(handle, a, n, ld, workspace, there, outcome)
    : submit<float>(handle, a, n, ld, workspace, there, outcome);
}
