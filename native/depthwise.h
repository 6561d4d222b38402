// Convolutions of each channel with filters of its own, over images whose channels lie side by side, and their gradients.
#ifndef ANEMONE_DEPTHWISE_H
#define ANEMONE_DEPTHWISE_H
#include "gemm16.h"

enum { DEPTHWISE_PARTS = 64 };

// Images x [batch, height, width, channels] and y [batch, out_height, out_width, channels], filter [kernel_height, kernel_width, channels].
typedef struct {
  ptrdiff_t batch, channels, height, width, out_height, out_width, kernel_height, kernel_width;
  ptrdiff_t stride_height, stride_width, pad_top, pad_left, dilation_height, dilation_width;
} depthwise;

// y = Σ over taps of x · filter, added up tap by tap, plus `bias` of the channels, or null; outside of x there are zeros.
void depthwise_forward(const depthwise *d, const float *x, const float *filter, const float *bias, float *y, const pool *threads);
// The gradient of x for one of y.
void depthwise_input_gradient(const depthwise *d, const float *dy, const float *filter, float *dx, const pool *threads);
// The gradient of the filter for one of y: sums of DEPTHWISE_PARTS parts of the rows, which are added up in double precision. The same
// for any number of threads. `sums` has room for DEPTHWISE_PARTS filters.
void depthwise_filter_gradient(const depthwise *d, const float *x, const float *dy, float *dfilter, float *sums, const pool *threads);
#endif
