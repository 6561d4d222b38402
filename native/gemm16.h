// Products of float32 matrices whose operands are rounded to bfloat16, summed in float32.
#ifndef ANEMONE_GEMM16_H
#define ANEMONE_GEMM16_H
#include <stddef.h>
#include <stdint.h>

// One product: C [m,n] = alpha * op(A) [m,k] * op(B) [k,n] + D. An element of a matrix lies at row * rs + column * cs.
typedef struct {
  ptrdiff_t m, n, k;
  const float *a, *b;
  ptrdiff_t ars, acs, brs, bcs;
  float alpha;
  const float *d; // summand, or null
  ptrdiff_t drs, dcs;
  float *c; // rows of n
  const void *packed; // op(B) as gemm16_pack lays it out, instead of b; or null
} product;

// Calls fn(data, i) for i in [0, count), on several threads or on this one.
typedef void (*parallel_fn)(void *data, size_t i);
typedef struct {
  void *context;
  void (*run)(void *context, parallel_fn fn, size_t count, void *data);
} pool;

// Whether this CPU has the instructions of avx512_bf16.
int gemm16_is_fast(void);
// The same numbers by any CPU, slowly: for tests, and to compare with. Default 0.
void gemm16_use_portable(int portable);
// op(B) for many products: its bytes, and how it is laid out there. Of the product k, n, b, brs and bcs count.
size_t gemm16_packed_bytes(ptrdiff_t k, ptrdiff_t n);
void gemm16_pack(const product *p, const pool *threads, void *to);
// Returns 0, or 1 where there is no memory.
int gemm16(const product *p, const pool *threads);
// `count` products on several threads, a whole one on each.
int gemm16_many(const product *p, size_t count, const pool *threads);
#endif
