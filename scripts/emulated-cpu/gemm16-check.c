// Checks the products of native/gemm16.c on this CPU: against double precision over rounded operands, against the portable path, and
// against those of the same operands given in bfloat16.
#include "gemm16.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUMMANDS = 4 }; // none; a matrix; a row; a column

static const int SIZES[][3] = {{1, 1, 1},      {1, 2, 3},      {14, 32, 32},    {13, 31, 33},  {15, 513, 31},   {127, 512, 16},
                               {126, 64, 513}, {129, 1025, 65}, {3, 40, 4101}, {600, 9, 7},   {260, 33, 1030}, {28, 64, 64}};

static void alone(void *context, parallel_fn fn, size_t count, void *data) {
  (void)context;
  for (size_t i = 0; i < count; i++) fn(data, i);
}
static const pool ONE_THREAD = {0, alone};

static float rounded(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  u = (u + 0x7fff + ((u >> 16) & 1)) & 0xffff0000u;
  memcpy(&x, &u, 4);
  return x;
}

static float *numbers(size_t count, int seed) {
  float *x = malloc(count * 4 + 4);
  for (size_t i = 0; i < count; i++) x[i] = (float)(sin(12.9898 * (double)i + seed) * (double)(1 + i % 7));
  return x;
}

static uint16_t *low(const float *x, size_t count) {
  uint16_t *y = malloc(count * 2 + 2);
  for (size_t i = 0; i < count; i++) {
    float r = rounded(x[i]);
    memcpy(y + i, (char *)&r + 2, 2);
  }
  return y;
}

static double element(const operand *x, ptrdiff_t row, ptrdiff_t column) {
  return rounded(((const float *)x->data)[row * x->rs + column * x->cs]);
}

static double exactly(const product *p, ptrdiff_t i, ptrdiff_t j) {
  double sum = 0;
  for (ptrdiff_t l = 0; l < p->k; l++) sum += element(&p->a, i, l) * element(&p->b, l, j);
  return p->alpha * sum + (p->d ? p->d[i * p->drs + j * p->dcs] : 0);
}

static double larger(double x, double y) { return fabs(x) > y ? fabs(x) : y; }

// Whether a product has the bits `wanted`, as it is and with op(B) packed before.
static int is_equal(product p, const float *wanted) {
  size_t bytes = (size_t)(p.m * p.n) * 4;
  float *c = calloc(1, bytes);
  void *packed = malloc(gemm16_packed_bytes(p.k, p.n));
  p.c = c;
  int equal = gemm16(&p, &ONE_THREAD) == 0 && memcmp(c, wanted, bytes) == 0;
  gemm16_pack(&p, &ONE_THREAD, packed);
  p.packed = packed;
  equal = equal && gemm16(&p, &ONE_THREAD) == 0 && memcmp(c, wanted, bytes) == 0;
  free(packed), free(c);
  return equal;
}

// Whether it is the same product with either operand given in bfloat16, and with both.
static int is_equal_of_low(product p) {
  void *a = low(p.a.data, (size_t)(p.m * p.k)), *b = low(p.b.data, (size_t)(p.k * p.n));
  int equal = 1;
  for (int form = 0; form < 4; form++) {
    product q = p;
    if (form & 1) q.a.data = a, q.a.is_low = 1;
    if (form & 2) q.b.data = b, q.b.is_low = 1;
    equal = equal && is_equal(q, p.c);
  }
  free(a), free(b);
  return equal;
}

// How far a product is from double precision, and from the portable path, of its largest number.
static int distances(product p, double *off, double *apart) {
  float *portable = calloc((size_t)(p.m * p.n), 4), *fast = p.c;
  gemm16_use_portable(!gemm16_is_fast());
  int failed = gemm16(&p, &ONE_THREAD);
  failed |= !is_equal_of_low(p);
  p.c = portable;
  gemm16_use_portable(1);
  failed |= gemm16(&p, &ONE_THREAD) || !is_equal_of_low(p);
  double most = 1e-30, wrong = 0, between = 0;
  for (ptrdiff_t i = 0; i < p.m; i++)
    for (ptrdiff_t j = 0; j < p.n; j++) {
      double wanted = exactly(&p, i, j), found = fast[i * p.n + j];
      most = larger(wanted, most), wrong = larger(found - wanted, wrong);
      between = larger(found - portable[i * p.n + j], between);
    }
  free(portable);
  *off = larger(wrong / most, *off), *apart = larger(between / most, *apart);
  return failed || !(wrong / most < 2e-6);
}

int main(void) {
  printf("avx512_bf16: %s\n", gemm16_is_fast() ? "yes" : "no");
  int bad = 0;
  double off = 0, apart = 0;
  for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
    for (int form = 0; form < 4 * SUMMANDS; form++) {
      ptrdiff_t m = SIZES[s][0], k = SIZES[s][1], n = SIZES[s][2];
      int ta = form & 1, tb = form >> 1 & 1, summand = form >> 2;
      float *a = numbers((size_t)(m * k), 1), *b = numbers((size_t)(k * n), 2), *d = numbers((size_t)(m * n), 3);
      float *c = calloc((size_t)(m * n), 4);
      product p = {m, n, k, {a, 0, ta ? 1 : k, ta ? m : 1}, {b, 0, tb ? 1 : n, tb ? k : 1}, summand & 1 ? 0.5f : 1, summand ? d : 0,
                   summand == 1 ? n : summand == 2 ? 0 : 1, summand == 3 ? 0 : 1, c, 0};
      int wrong = distances(p, &off, &apart);
      if (wrong) printf("wrong: %td x %td x %td, transposed %d %d, summand %d\n", m, k, n, ta, tb, summand);
      bad |= wrong;
      free(a), free(b), free(c), free(d);
    }
  printf("%s: %zu products, off double precision by %.2g at most, off the portable path by %.2g\n", bad ? "WRONG" : "equal",
         sizeof SIZES / sizeof *SIZES * 4 * SUMMANDS, off, apart);
  // Where the CPU has not the instructions, both paths are the portable one.
  return bad ? 1 : gemm16_is_fast() ? 0 : 2;
}
