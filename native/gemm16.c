// The product: blocks of op(B) are packed once for all threads, blocks of op(A) by each; a tile of 14 x 32 numbers of C stays in
// registers over a block of k (Goto & van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"). Packing
// rounds to bfloat16, where the operand is not so already, and puts two neighbours along k in one word, which is what vdpbf16ps multiplies and adds.
#include "gemm16.h"
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

enum { MR = 14, NR = 32, KC = 512, MC = MR * 9, NC = 4096, NARROW = 512, FEW = 16 };

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

static int use_portable;

int gemm16_is_fast(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#else
  return 0;
#endif
}

void gemm16_use_portable(int portable) { use_portable = portable; }

// To nearest, ties to even; a NaN stays one.
static inline uint32_t rounded(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  uint32_t r = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  return (u & 0x7fffffff) > 0x7f800000 ? (u >> 16) | 0x40 : r;
}

// Element i, which is float32 or, where it is low, bfloat16 already.
static inline __attribute__((always_inline)) uint32_t bits_at(const void *x, ptrdiff_t i, int is_low) {
  return is_low ? ((const uint16_t *)x)[i] : rounded(((const float *)x)[i]);
}

// Elements i and j in one word.
static inline __attribute__((always_inline)) uint32_t pair(const void *x, ptrdiff_t i, ptrdiff_t j, int is_low) {
  return bits_at(x, i, is_low) | bits_at(x, j, is_low) << 16;
}

// Packs `width` rows or columns of a matrix, whose elements lie `s` apart across them and `ks` along k, as panels of `panel`:
// word q of line i holds k = 2q and 2q + 1. Missing lines and a missing last k are zeros.
static inline __attribute__((always_inline)) void pack_panel(const void *x, int is_low, ptrdiff_t s, ptrdiff_t ks, int width, int panel,
                                                             int k, uint32_t *to) {
  int whole = k / 2, words = (k + 1) / 2;
  if (s == 1) {
    for (int q = 0; q < words; q++) {
      ptrdiff_t even = (ptrdiff_t)2 * q * ks, odd = even + ks;
      uint32_t *line = to + (ptrdiff_t)q * panel;
      if (q < whole)
        for (int i = 0; i < width; i++) line[i] = pair(x, even + i, odd + i, is_low);
      else
        for (int i = 0; i < width; i++) line[i] = bits_at(x, even + i, is_low);
      for (int i = width; i < panel; i++) line[i] = 0;
    }
    return;
  }
  uint32_t lines[NR][16];
  for (int q0 = 0; q0 < words; q0 += 16) {
    int count = words - q0 < 16 ? words - q0 : 16;
    for (int i = 0; i < width; i++) {
      ptrdiff_t row = i * s + (ptrdiff_t)2 * q0 * ks;
      // Neighbours in bfloat16 are a word already.
      if (ks == 1 && q0 + count <= whole && is_low) memcpy(lines[i], (const uint16_t *)x + row, (size_t)count * 4);
      else if (ks == 1 && q0 + count <= whole)
        for (int q = 0; q < count; q++) lines[i][q] = pair(x, row + 2 * q, row + 2 * q + 1, is_low);
      else
        for (int q = 0; q < count; q++) {
          ptrdiff_t even = row + (ptrdiff_t)2 * q * ks;
          lines[i][q] = q0 + q < whole ? pair(x, even, even + ks, is_low) : bits_at(x, even, is_low);
        }
    }
    for (int q = 0; q < count; q++) {
      uint32_t *line = to + (ptrdiff_t)(q0 + q) * panel;
      for (int i = 0; i < width; i++) line[i] = lines[i][q];
      for (int i = width; i < panel; i++) line[i] = 0;
    }
  }
}

typedef void pack_fn(const void *x, ptrdiff_t s, ptrdiff_t ks, int width, int k, uint32_t *to);

// One for each width of a panel and type of element; the compiler makes vectors of those that are fast.
#define PACK(name, target, panel, is_low) \
  static target void name(const void *x, ptrdiff_t s, ptrdiff_t ks, int width, int k, uint32_t *to) { \
    pack_panel(x, is_low, s, ks, width, panel, k, to); \
  }
PACK(pack_a, , MR, 0)
PACK(pack_b, , NR, 0)
PACK(pack_low_a, , MR, 1)
PACK(pack_low_b, , NR, 1)
PACK(pack_a_fast, FAST, MR, 0)
PACK(pack_b_fast, FAST, NR, 0)
PACK(pack_low_a_fast, FAST, MR, 1)
PACK(pack_low_b_fast, FAST, NR, 1)

// By whether it is fast, and whether the elements are low.
static pack_fn *const PACK_A[2][2] = {{pack_a, pack_low_a}, {pack_a_fast, pack_low_a_fast}};
static pack_fn *const PACK_B[2][2] = {{pack_b, pack_low_b}, {pack_b_fast, pack_low_b_fast}};

operand gemm16_from(operand x, ptrdiff_t index) {
  x.data = (const char *)x.data + index * (x.is_low ? 2 : 4);
  return x;
}

static const void *at(const operand *x, ptrdiff_t row, ptrdiff_t column) {
  return gemm16_from(*x, row * x->rs + column * x->cs).data;
}

// What is done with a tile: c = alpha * sum + (d, or what was there before, or 0).
typedef struct {
  float *c;
  ptrdiff_t ldc;
  int rows, columns;
  float alpha;
  const float *d;
  ptrdiff_t drs, dcs;
} tile;

typedef float lanes __attribute__((vector_size(64)));
typedef uint32_t words16 __attribute__((vector_size(64)));
// The same anywhere in memory.
typedef float loose_lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t loose_words __attribute__((vector_size(64), aligned(4), may_alias));

// sum + odd products + even products, 16 of each. By every CPU:
#define ADD_PORTABLE(sum, x, y) \
  ((sum) + (lanes)((x) & 0xffff0000u) * (lanes)((y) & 0xffff0000u) + (lanes)((x) << 16) * (lanes)((y) << 16))
// And by the instruction.
#define ADD_FAST(sum, x, y) ((lanes)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(y)))

// Both are this code.
#define MULTIPLY(name, target, ADD) \
  static target void name(int count, const uint32_t *a, const uint32_t *b, const tile *t) { \
    lanes sum[MR][2]; \
    memset(sum, 0, sizeof sum); \
    for (int q = 0; q < count; q++, a += MR, b += NR) { \
      words16 left = *(const loose_words *)b, right = *(const loose_words *)(b + 16); \
      _Pragma("GCC unroll 14") for (int i = 0; i < MR; i++) { \
        words16 x = (words16){0} + a[i]; \
        sum[i][0] = ADD(sum[i][0], x, left); \
        sum[i][1] = ADD(sum[i][1], x, right); \
      } \
    } \
    _Pragma("GCC unroll 14") for (int i = 0; i < MR; i++) finish_row(t, i, sum[i]); \
  }

// A row of a tile, from registers to C.
static inline __attribute__((always_inline)) void finish_row(const tile *t, int i, const lanes *sum) {
  if (i >= t->rows) return;
  float *c = t->c + i * t->ldc;
  const float *d = t->d ? t->d + i * t->drs : 0;
  if (t->columns == NR && (!d || t->dcs == 1)) {
    for (int h = 0; h < 2; h++) {
      lanes value = t->alpha * sum[h];
      if (d) value += *(const loose_lanes *)(d + 16 * h);
      *(loose_lanes *)(c + 16 * h) = value;
    }
    return;
  }
  float row[NR];
  memcpy(row, sum, sizeof row);
  for (int j = 0; j < t->columns; j++) c[j] = t->alpha * row[j] + (d ? d[j * t->dcs] : 0);
}

MULTIPLY(multiply, , ADD_PORTABLE)
MULTIPLY(multiply_fast, FAST, ADD_FAST)

// A block of k and of columns: op(B) is packed, then the rows are multiplied.
typedef struct {
  const product *p;
  ptrdiff_t k0, n0;
  int k, n, narrow;
  uint32_t *b;
} block;

static inline ptrdiff_t words_of(int k) { return (k + 1) / 2; }

static block block_at(const product *p, ptrdiff_t k0, ptrdiff_t n0, uint32_t *b) {
  block x = {p, k0, n0, p->k - k0 < KC ? (int)(p->k - k0) : KC, p->n - n0 < NC ? (int)(p->n - n0) : NC, NC, b};
  return x;
}

// Words of a block of op(B), in whole panels.
static inline ptrdiff_t size_of_block(const block *x) { return (x->n + NR - 1) / NR * NR * words_of(x->k); }

static void pack_part(void *data, size_t i) {
  block *x = data;
  const product *p = x->p;
  ptrdiff_t j = (ptrdiff_t)i * NR;
  int width = x->n - j < NR ? (int)(x->n - j) : NR;
  pack_fn *pack = PACK_B[!use_portable][p->b.is_low];
  pack(at(&p->b, x->k0, x->n0 + j), p->b.cs, p->b.rs, width, x->k, x->b + (ptrdiff_t)i * words_of(x->k) * NR);
}

static void multiply_part(void *data, size_t i) {
  block *x = data;
  const product *p = x->p;
  ptrdiff_t columns = (x->n + x->narrow - 1) / x->narrow, words = words_of(x->k);
  ptrdiff_t i0 = (ptrdiff_t)(i / columns) * MC, j0 = (ptrdiff_t)(i % columns) * x->narrow;
  int m = p->m - i0 < MC ? (int)(p->m - i0) : MC;
  ptrdiff_t end = j0 + x->narrow < x->n ? j0 + x->narrow : x->n;
  uint32_t a[MC * ((KC + 1) / 2)] __attribute__((aligned(64)));
  pack_fn *pack = PACK_A[!use_portable][p->a.is_low];
  for (int r = 0; r < m; r += MR)
    pack(at(&p->a, i0 + r, x->k0), p->a.rs, p->a.cs, m - r < MR ? m - r : MR, x->k, a + r * words);
  for (ptrdiff_t j = j0; j < end; j += NR)
    for (int r = 0; r < m; r += MR) {
      ptrdiff_t row = i0 + r, column = x->n0 + j;
      tile t = {p->c + row * p->n + column, p->n, m - r < MR ? m - r : MR, end - j < NR ? (int)(end - j) : NR, p->alpha,
                0, 0, 0};
      if (x->k0 > 0) t.d = t.c, t.drs = p->n, t.dcs = 1;
      else if (p->d) t.d = p->d + row * p->drs + column * p->dcs, t.drs = p->drs, t.dcs = p->dcs;
      (use_portable ? multiply : multiply_fast)((int)words, a + r * words, x->b + j / NR * words * NR, &t);
    }
}

static void alone(void *context, parallel_fn fn, size_t count, void *data) {
  (void)context;
  for (size_t i = 0; i < count; i++) fn(data, i);
}
static const pool one_thread = {0, alone};

// The numbers of C where there is nothing to add up.
static void only_summand(const product *p) {
  for (ptrdiff_t i = 0; i < p->m; i++)
    for (ptrdiff_t j = 0; j < p->n; j++) p->c[i * p->n + j] = p->d ? p->d[i * p->drs + j * p->dcs] : 0;
}

static void pack_block(block *x, const pool *threads) {
  threads->run(threads->context, pack_part, (size_t)((x->n + NR - 1) / NR), x);
}

size_t gemm16_packed_bytes(ptrdiff_t k, ptrdiff_t n) {
  product p = {.k = k, .n = n};
  size_t words = 0;
  for (ptrdiff_t n0 = 0; n0 < n; n0 += NC)
    for (ptrdiff_t k0 = 0; k0 < k; k0 += KC) {
      block x = block_at(&p, k0, n0, 0);
      words += (size_t)size_of_block(&x);
    }
  return words * 4;
}

// Block after block, in the order in which they are multiplied.
void gemm16_pack(const product *p, const pool *threads, void *to) {
  uint32_t *b = to;
  for (ptrdiff_t n0 = 0; n0 < p->n; n0 += NC)
    for (ptrdiff_t k0 = 0; k0 < p->k; k0 += KC) {
      block x = block_at(p, k0, n0, b);
      pack_block(&x, threads);
      b += size_of_block(&x);
    }
}

static void multiply_blocks(const product *p, const pool *threads, uint32_t *b) {
  ptrdiff_t rows = (p->m + MC - 1) / MC;
  for (ptrdiff_t n0 = 0; n0 < p->n; n0 += NC)
    for (ptrdiff_t k0 = 0; k0 < p->k; k0 += KC) {
      block x = block_at(p, k0, n0, b);
      // Few rows of blocks are not enough for all threads.
      if (rows < FEW) x.narrow = NARROW;
      if (p->packed) b += size_of_block(&x);
      else pack_block(&x, threads);
      ptrdiff_t columns = (x.n + x.narrow - 1) / x.narrow;
      threads->run(threads->context, multiply_part, (size_t)(rows * columns), &x);
    }
}

int gemm16(const product *p, const pool *threads) {
  if (p->m == 0 || p->n == 0) return 0;
  if (p->k == 0) return only_summand(p), 0;
  if ((double)p->m * p->n * p->k < 2e5) threads = &one_thread;
  // Packed blocks are read only.
  if (p->packed) return multiply_blocks(p, threads, (uint32_t *)(uintptr_t)p->packed), 0;
  // A multiple of the width of a panel, and of the line of a cache.
  ptrdiff_t n = p->n < NC ? (p->n + NR - 1) / NR * NR : NC, k = p->k < KC ? p->k : KC;
  uint32_t *memory = malloc((size_t)n * words_of((int)k) * 4 + 64);
  if (!memory) return 1;
  multiply_blocks(p, threads, (uint32_t *)(((uintptr_t)memory + 63) & ~(uintptr_t)63));
  free(memory);
  return 0;
}

typedef struct {
  const product *products;
  int failed;
} many;

static void one_of_many(void *data, size_t i) {
  many *x = data;
  if (gemm16(x->products + i, &one_thread)) x->failed = 1;
}

int gemm16_many(const product *p, size_t count, const pool *threads) {
  many x = {p, 0};
  threads->run(threads->context, one_of_many, count, &x);
  return x.failed;
}
