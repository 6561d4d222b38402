#include "depthwise.h"
#include "cpu.h"
#include <string.h>

typedef struct {
  const depthwise *d;
  const float *a, *b, *bias;
  float *to;
} task;

// Rows of an image that one call computes: as many as keep the threads of a small image busy, and calls few.
enum { ROWS = 4 };

INLINE reach columns_of(const depthwise *d, ptrdiff_t j) {
  return reached(j * d->dilation_width - d->pad_left, d->stride_width, d->width, d->out_width);
}

// to += a · b, number by number; rounded once where the CPU can.
#define ADD_PRODUCT(to, a, b, n) \
  for (ptrdiff_t c = 0; c < (n); c++) (to)[c] = fuses ? __builtin_fmaf((a)[c], (b)[c], (to)[c]) : (to)[c] + (a)[c] * (b)[c]

INLINE void forward_row(const task *t, ptrdiff_t row, int fuses) {
  const depthwise *d = t->d;
  ptrdiff_t n = row / d->out_height, o = row % d->out_height, channels = d->channels;
  float *restrict y = t->to + row * d->out_width * channels;
  memset(y, 0, (size_t)(d->out_width * channels) * sizeof *y);
  for (ptrdiff_t i = 0; i < d->kernel_height; i++) {
    ptrdiff_t h = o * d->stride_height - d->pad_top + i * d->dilation_height;
    if (h < 0 || h >= d->height) continue;
    const float *restrict x = t->a + (n * d->height + h) * d->width * channels;
    for (ptrdiff_t j = 0; j < d->kernel_width; j++) {
      const float *restrict filter = t->b + (i * d->kernel_width + j) * channels;
      reach r = columns_of(d, j);
      for (ptrdiff_t w = r.first; w < r.end; w++)
        ADD_PRODUCT(y + w * channels, x + (w * d->stride_width + r.shift) * channels, filter, channels);
    }
  }
  const float *restrict bias = t->bias;
  if (bias)
    for (ptrdiff_t w = 0; w < d->out_width; w++)
      for (ptrdiff_t c = 0; c < channels; c++) y[w * channels + c] += bias[c];
}

INLINE void input_gradient_row(const task *t, ptrdiff_t row, int fuses) {
  const depthwise *d = t->d;
  ptrdiff_t n = row / d->height, h = row % d->height, channels = d->channels;
  float *restrict dx = t->to + row * d->width * channels;
  memset(dx, 0, (size_t)(d->width * channels) * sizeof *dx);
  for (ptrdiff_t i = 0; i < d->kernel_height; i++) {
    ptrdiff_t from = h + d->pad_top - i * d->dilation_height;
    if (from < 0 || from % d->stride_height || from / d->stride_height >= d->out_height) continue;
    const float *restrict dy = t->a + (n * d->out_height + from / d->stride_height) * d->out_width * channels;
    for (ptrdiff_t j = 0; j < d->kernel_width; j++) {
      const float *restrict filter = t->b + (i * d->kernel_width + j) * channels;
      reach r = columns_of(d, j);
      for (ptrdiff_t w = r.first; w < r.end; w++)
        ADD_PRODUCT(dx + (w * d->stride_width + r.shift) * channels, dy + w * channels, filter, channels);
    }
  }
}

// Adds up over the rows of y of one part.
INLINE void filter_gradient_part(const task *t, ptrdiff_t part, int fuses) {
  const depthwise *d = t->d;
  ptrdiff_t rows = d->batch * d->out_height, channels = d->channels, size = d->kernel_height * d->kernel_width * channels;
  float *restrict sums = t->to + part * size;
  memset(sums, 0, (size_t)size * sizeof *sums);
  for (ptrdiff_t row = rows * part / DEPTHWISE_PARTS; row < rows * (part + 1) / DEPTHWISE_PARTS; row++) {
    ptrdiff_t n = row / d->out_height, o = row % d->out_height;
    const float *restrict dy = t->b + row * d->out_width * channels;
    for (ptrdiff_t i = 0; i < d->kernel_height; i++) {
      ptrdiff_t h = o * d->stride_height - d->pad_top + i * d->dilation_height;
      if (h < 0 || h >= d->height) continue;
      const float *restrict x = t->a + (n * d->height + h) * d->width * channels;
      for (ptrdiff_t j = 0; j < d->kernel_width; j++) {
        reach r = columns_of(d, j);
        for (ptrdiff_t w = r.first; w < r.end; w++)
          ADD_PRODUCT(sums + (i * d->kernel_width + j) * channels, x + (w * d->stride_width + r.shift) * channels, dy + w * channels,
                      channels);
      }
    }
  }
}

// A function of `count` rows for ORT's threads, in the forms that CPUs have instructions for.
typedef struct {
  task t;
  ptrdiff_t count;
} rows_task;

#define ROWS_OF(name, row, fuses) { \
    const rows_task *all = data; \
    for (ptrdiff_t at = (ptrdiff_t)index * ROWS; at < least(all->count, ((ptrdiff_t)index + 1) * ROWS); at++) row(&all->t, at, fuses); \
  }
#define FORMS(name, row) \
  static void name##_any(void *data, size_t index) ROWS_OF(name, row, 0) \
  OF_AVX2 static void name##_avx2(void *data, size_t index) ROWS_OF(name, row, 1) \
  OF_AVX512 static void name##_avx512(void *data, size_t index) ROWS_OF(name, row, 1) \
  static const parallel_fn name[] = {name##_any, name##_avx2, name##_avx512};

FORMS(forward_rows, forward_row)
FORMS(input_gradient_rows, input_gradient_row)
FORMS(filter_gradient_parts, filter_gradient_part)

static void run(const parallel_fn *forms, task t, ptrdiff_t count, const pool *threads) {
  rows_task all = {t, count};
  run_calls(forms, rounded_up(count, ROWS), &all, threads);
}

void depthwise_forward(const depthwise *d, const float *x, const float *filter, const float *bias, float *y, const pool *threads) {
  run(forward_rows, (task){d, x, filter, bias, y}, d->batch * d->out_height, threads);
}

void depthwise_input_gradient(const depthwise *d, const float *dy, const float *filter, float *dx, const pool *threads) {
  run(input_gradient_rows, (task){d, dy, filter, 0, dx}, d->batch * d->height, threads);
}

void depthwise_filter_gradient(const depthwise *d, const float *x, const float *dy, float *dfilter, float *sums, const pool *threads) {
  run(filter_gradient_parts, (task){d, x, dy, 0, sums}, DEPTHWISE_PARTS, threads);
  ptrdiff_t size = d->kernel_height * d->kernel_width * d->channels;
  for (ptrdiff_t k = 0; k < size; k++) {
    double sum = 0;
    for (ptrdiff_t part = 0; part < DEPTHWISE_PARTS; part++) sum += sums[part * size + k];
    dfilter[k] = (float)sum;
  }
}
