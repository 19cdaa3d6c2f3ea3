// Stands for cuBLAS in tests: products of matrices as they stand, by plain sums.
#include <cstddef>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {
template <class T>
int multiply(int transposedA, int transposedB, int m, int n, int k, const T* alpha, const T* a, int lda, const T* b,
    int ldb, const T* beta, T* c, int ldc) {
  if (transposedA != 0 || transposedB != 0 || lda < m || ldb < k || ldc < m) return 7;
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < m; i++) {
      T sum = 0;
      for (int d = 0; d < k; d++) sum += a[i + (size_t)d * lda] * b[d + (size_t)j * ldb];
      T& to = c[i + (size_t)j * ldc];
      to = *alpha * sum + (*beta == 0 ? 0 : *beta * to);
    }
  }
  return 0;
}
int handle;
}

EXPORT int cublasCreate_v2(void** to) { *to = &handle; return 0; }
EXPORT int cublasDestroy_v2(void* given) { return given == &handle ? 0 : 1; }
EXPORT int cublasSetStream_v2(void* given, void*) { return given == &handle ? 0 : 1; }
EXPORT int cublasDgemm_v2(void*, int ta, int tb, int m, int n, int k, const double* alpha, const double* a, int lda,
    const double* b, int ldb, const double* beta, double* c, int ldc) {
  return multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
EXPORT int cublasSgemm_v2(void*, int ta, int tb, int m, int n, int k, const float* alpha, const float* a, int lda,
    const float* b, int ldb, const float* beta, float* c, int ldc) {
  return multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
