// What a convolution's columns are added up to: the second half of the gradient of its image, after a product with the filter.
#ifndef ANEMONE_COLUMNS_H
#define ANEMONE_COLUMNS_H
#include "gemm16.h"

// Images [batch, height, width, channels]. A column holds what one position of the convolution's result gives to its window: [kernel_height,
// kernel_width, channels]. Columns of `count` rows of the result, each of `out_width` positions, from row `first` on, counted through the
// batch: `out_height` of them an image.
typedef struct {
  ptrdiff_t batch, height, width, channels, kernel_height, kernel_width, out_height, out_width, first, count;
  ptrdiff_t stride_height, stride_width, pad_top, pad_left, dilation_height, dilation_width;
} columns;

// Adds columns to `image`, or to zeros where `starts`. Each number of an image is the sum of its columns in the order of the kernel's rows
// and columns, if those with the last rows are added first: the order of ONNX Runtime's ConvTranspose.
void columns_to_image(const columns *c, const float *values, int starts, float *image, const pool *threads);
// The opposite for one tap of a kernel, row `i` and column `j`: what it meets of an image at every position, [batch, out_height, out_width,
// channels]; zeros outside of the image.
void image_to_tap(const columns *c, ptrdiff_t i, ptrdiff_t j, const float *image, float *tap, const pool *threads);
#endif
