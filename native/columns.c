#include "columns.h"
#include "cpu.h"
#include <string.h>

typedef struct {
  const columns *c;
  const float *values;
  float *image;
  ptrdiff_t from, rows; // of the images
  int starts;
} task;

// Rows that one call adds up.
enum { ROWS = 4 };

INLINE void add_row(const task *t, ptrdiff_t row) {
  const columns *c = t->c;
  ptrdiff_t n = row / c->height, h = row % c->height, channels = c->channels, size = c->kernel_height * c->kernel_width * channels;
  float *restrict image = t->image + row * c->width * channels;
  if (t->starts) memset(image, 0, (size_t)(c->width * channels) * sizeof *image);
  for (ptrdiff_t i = 0; i < c->kernel_height; i++) {
    ptrdiff_t from = h + c->pad_top - i * c->dilation_height;
    if (from < 0 || from % c->stride_height || from / c->stride_height >= c->out_height) continue;
    ptrdiff_t at = n * c->out_height + from / c->stride_height - c->first;
    if (at < 0 || at >= c->count) continue;
    const float *restrict values = t->values + at * c->out_width * size;
    for (ptrdiff_t j = 0; j < c->kernel_width; j++) {
      reach r = reached(j * c->dilation_width - c->pad_left, c->stride_width, c->width, c->out_width);
      for (ptrdiff_t w = r.first; w < r.end; w++) {
        float *restrict to = image + (w * c->stride_width + r.shift) * channels;
        const float *restrict value = values + w * size + (i * c->kernel_width + j) * channels;
        for (ptrdiff_t k = 0; k < channels; k++) to[k] += value[k];
      }
    }
  }
}

typedef struct {
  const columns *c;
  ptrdiff_t i, j;
  const float *image;
  float *tap;
} tap_task;

static void copy_tap_row(void *data, size_t row) {
  const tap_task *t = data;
  const columns *c = t->c;
  size_t size = (size_t)c->channels * sizeof *t->tap;
  float *to = t->tap + (ptrdiff_t)row * c->out_width * c->channels;
  ptrdiff_t n = (ptrdiff_t)row / c->out_height, o = (ptrdiff_t)row % c->out_height;
  ptrdiff_t h = o * c->stride_height - c->pad_top + t->i * c->dilation_height;
  reach r = reached(t->j * c->dilation_width - c->pad_left, c->stride_width, c->width, c->out_width);
  if (h < 0 || h >= c->height || r.end <= r.first) {
    memset(to, 0, (size_t)c->out_width * size);
    return;
  }
  const float *image = t->image + (n * c->height + h) * c->width * c->channels;
  memset(to, 0, (size_t)r.first * size);
  if (c->stride_width == 1) memcpy(to + r.first * c->channels, image + (r.first + r.shift) * c->channels, (size_t)(r.end - r.first) * size);
  else
    for (ptrdiff_t w = r.first; w < r.end; w++)
      memcpy(to + w * c->channels, image + (w * c->stride_width + r.shift) * c->channels, size);
  memset(to + r.end * c->channels, 0, (size_t)(c->out_width - r.end) * size);
}

void image_to_tap(const columns *c, ptrdiff_t i, ptrdiff_t j, const float *image, float *tap, const pool *threads) {
  tap_task t = {c, i, j, image, tap};
  threads->run(threads->context, copy_tap_row, (size_t)(c->batch * c->out_height), &t);
}

INLINE void add_rows(const task *t, size_t index) {
  ptrdiff_t from = t->from + (ptrdiff_t)index * ROWS, end = least(from + ROWS, t->from + t->rows);
  for (ptrdiff_t row = from; row < end; row++) add_row(t, row);
}

static void any(void *data, size_t index) { add_rows(data, index); }
OF_AVX2 static void avx2(void *data, size_t index) { add_rows(data, index); }
OF_AVX512 static void avx512(void *data, size_t index) { add_rows(data, index); }
static const parallel_fn forms[] = {any, avx2, avx512};

void columns_to_image(const columns *c, const float *values, int starts, float *image, const pool *threads) {
  // Rows of images that the columns reach: all of an image that some of them are of, or all that there are.
  ptrdiff_t first = c->first / c->out_height, last = (c->first + c->count - 1) / c->out_height;
  task t = {c, values, image, starts ? 0 : first * c->height, (starts ? c->batch : last - first + 1) * c->height, starts};
  run_calls(forms, rounded_up(t.rows, ROWS), &t, threads);
}
