// anemone.DepthwiseConv (x, filter, bias or none), anemone.DepthwiseConvInputGradient (dy, filter) and
// anemone.DepthwiseConvFilterGradient (x, dy): see depthwise.h. Images are [batch, height, width, channels], filters [height, width,
// channels, 1]. anemone.ColumnsToImage (columns [positions, kernel height * kernel width * channels], an image or none) and
// anemone.ImageToTap (an image): see columns.h.
// The attribute `geometry` holds strides, padding (top, left) and dilations, then height and width of the result; for ImageToTap also row
// and column of the tap; for ColumnsToImage those of the kernel and of the convolution's result, the images of a batch, and the first of
// the result's rows that there are columns of. The shape of the result is the attribute `sizes`.
#include "columns.h"
#include "depthwise.h"
#include "ort.h"
#include <stdlib.h>
#include <string.h>

// Places in a geometry.
enum {
  STRIDE_HEIGHT, STRIDE_WIDTH, PAD_TOP, PAD_LEFT, DILATION_HEIGHT, DILATION_WIDTH, HEIGHT, WIDTH, LEAST_GEOMETRY,
  TAP_ROW = LEAST_GEOMETRY, TAP_COLUMN,
  KERNEL_HEIGHT = LEAST_GEOMETRY, KERNEL_WIDTH, OUT_HEIGHT, OUT_WIDTH, BATCH, FIRST_ROW, GEOMETRY
};
typedef struct {
  ptrdiff_t value[GEOMETRY];
} geometry;

// Of the fields of `depthwise` and of `columns`, those that a geometry begins with.
#define WINDOW(v) \
  .stride_height = (v)[STRIDE_HEIGHT], .stride_width = (v)[STRIDE_WIDTH], .pad_top = (v)[PAD_TOP], .pad_left = (v)[PAD_LEFT], \
  .dilation_height = (v)[DILATION_HEIGHT], .dilation_width = (v)[DILATION_WIDTH]

static const char *const wrong_shapes = "a depthwise convolution takes images of four axes and filters of their channels";

static depthwise described(const geometry *g, const shape *x, const shape *filter, const shape *y) {
  const ptrdiff_t *v = g->value;
  return (depthwise){
    .batch = x->size[0], .channels = x->size[3], .height = x->size[1], .width = x->size[2], .out_height = y->size[1],
    .out_width = y->size[2], .kernel_height = filter->size[0], .kernel_width = filter->size[1],
    WINDOW(v),
  };
}

static int is_filter_of(const shape *filter, const shape *image) {
  return image->rank == 4 && filter->rank == 4 && filter->size[3] == 1 && filter->size[2] == image->size[3];
}

static status forward(void *data, void *context) {
  const geometry *g = data;
  shape x, filter, bias = {0};
  void *px, *pfilter, *pbias = 0;
  float *py;
  size_t inputs;
  status failed;
  TRY(input(context, 0, &x, &px));
  TRY(input(context, 1, &filter, &pfilter));
  TRY(CALL(INPUT_COUNT, (const void *, size_t *))(context, &inputs));
  if (inputs > 2) TRY(input(context, 2, &bias, &pbias));
  if (!is_filter_of(&filter, &x) || (pbias && (bias.rank != 1 || bias.size[0] != x.size[3]))) return failure(wrong_shapes);
  shape y = {.rank = 4, .size = {x.size[0], g->value[HEIGHT], g->value[WIDTH], x.size[3]}};
  TRY(output(context, 0, &y, &py));
  depthwise d = described(g, &x, &filter, &y);
  pool threads = {context, run_parallel};
  depthwise_forward(&d, px, pfilter, pbias, py, &threads);
  return 0;
}

static status input_gradient(void *data, void *context) {
  const geometry *g = data;
  shape dy, filter;
  void *pdy, *pfilter;
  float *pdx;
  status failed;
  TRY(input(context, 0, &dy, &pdy));
  TRY(input(context, 1, &filter, &pfilter));
  if (!is_filter_of(&filter, &dy)) return failure(wrong_shapes);
  shape dx = {.rank = 4, .size = {dy.size[0], g->value[HEIGHT], g->value[WIDTH], dy.size[3]}};
  TRY(output(context, 0, &dx, &pdx));
  depthwise d = described(g, &dx, &filter, &dy);
  pool threads = {context, run_parallel};
  depthwise_input_gradient(&d, pdy, pfilter, pdx, &threads);
  return 0;
}

static status filter_gradient(void *data, void *context) {
  const geometry *g = data;
  shape x, dy;
  void *px, *pdy;
  float *pfilter;
  status failed;
  TRY(input(context, 0, &x, &px));
  TRY(input(context, 1, &dy, &pdy));
  if (x.rank != 4 || dy.rank != 4 || x.size[0] != dy.size[0] || x.size[3] != dy.size[3]) return failure(wrong_shapes);
  shape filter = {.rank = 4, .size = {g->value[HEIGHT], g->value[WIDTH], x.size[3], 1}};
  TRY(output(context, 0, &filter, &pfilter));
  depthwise d = described(g, &x, &filter, &dy);
  float *sums = malloc((size_t)(DEPTHWISE_PARTS * d.kernel_height * d.kernel_width * d.channels) * sizeof *sums);
  if (!sums) return failure("a depthwise convolution found no memory");
  pool threads = {context, run_parallel};
  depthwise_filter_gradient(&d, px, pdy, pfilter, sums, &threads);
  free(sums);
  return 0;
}

static status columns_of_rows(void *data, void *context) {
  const ptrdiff_t *v = ((const geometry *)data)->value;
  shape given, image = {0};
  void *values, *before = 0;
  float *to;
  size_t inputs;
  status failed;
  TRY(input(context, 0, &given, &values));
  TRY(CALL(INPUT_COUNT, (const void *, size_t *))(context, &inputs));
  if (inputs > 1) TRY(input(context, 1, &image, &before));
  ptrdiff_t window = v[KERNEL_HEIGHT] * v[KERNEL_WIDTH];
  if (given.rank != 2 || window == 0 || v[OUT_WIDTH] == 0 || given.size[1] % window || given.size[0] % v[OUT_WIDTH])
    return failure("ColumnsToImage takes columns of whole rows");
  shape result = {.rank = 4, .size = {v[BATCH], v[HEIGHT], v[WIDTH], given.size[1] / window}};
  if (before && (image.rank != 4 || memcmp(image.size, result.size, 4 * sizeof *image.size)))
    return failure("ColumnsToImage takes an image of its columns' channels");
  TRY(output(context, 0, &result, &to));
  columns c = {WINDOW(v)};
  c.batch = v[BATCH], c.height = v[HEIGHT], c.width = v[WIDTH], c.channels = result.size[3];
  c.kernel_height = v[KERNEL_HEIGHT], c.kernel_width = v[KERNEL_WIDTH], c.out_height = v[OUT_HEIGHT], c.out_width = v[OUT_WIDTH];
  c.first = v[FIRST_ROW], c.count = given.size[0] / v[OUT_WIDTH];
  if (c.first < 0 || c.first + c.count > c.batch * c.out_height) return failure("ColumnsToImage has columns beyond its images");
  if (before && before != to) memcpy(to, before, (size_t)(c.batch * c.height * c.width * c.channels) * sizeof *to);
  pool threads = {context, run_parallel};
  columns_to_image(&c, values, !before, to, &threads);
  return 0;
}

static status tap_of_image(void *data, void *context) {
  const ptrdiff_t *v = ((const geometry *)data)->value;
  shape image;
  void *from;
  float *to;
  status failed;
  TRY(input(context, 0, &image, &from));
  if (image.rank != 4) return failure("ImageToTap takes images of four axes");
  shape tap = {.rank = 4, .size = {image.size[0], v[HEIGHT], v[WIDTH], image.size[3]}};
  TRY(output(context, 0, &tap, &to));
  columns c = {WINDOW(v)};
  c.batch = image.size[0], c.height = image.size[1], c.width = image.size[2], c.channels = image.size[3];
  c.out_height = v[HEIGHT], c.out_width = v[WIDTH];
  pool threads = {context, run_parallel};
  image_to_tap(&c, v[TAP_ROW], v[TAP_COLUMN], from, to, &threads);
  return 0;
}

static status create_kernel(const void *op, const void *ort, const void *info, void **made) {
  (void)op, (void)ort;
  char text[256] = {0}, *at = text;
  size_t size = sizeof text - 1;
  status failed;
  TRY(CALL(TEXT_ATTRIBUTE, (const void *, const char *, char *, size_t *))(info, "geometry", text, &size));
  geometry *g = malloc(sizeof *g);
  if (!g) return failure("a convolution found no memory");
  for (int i = 0; i < GEOMETRY; i++) {
    char *start = at;
    g->value[i] = (ptrdiff_t)strtoll(start, &at, 10);
    if (at == start && i < LEAST_GEOMETRY) return free(g), failure("the geometry of a convolution is eight whole numbers or more");
  }
  *made = g;
  return 0;
}

static const char *forward_name(const void *op) { return (void)op, "DepthwiseConv"; }
static const char *input_gradient_name(const void *op) { return (void)op, "DepthwiseConvInputGradient"; }
static const char *filter_gradient_name(const void *op) { return (void)op, "DepthwiseConvFilterGradient"; }
static const char *columns_name(const void *op) { return (void)op, "ColumnsToImage"; }
static const char *tap_name(const void *op) { return (void)op, "ImageToTap"; }
static size_t two(const void *op) { return (void)op, 2; }
static size_t three(const void *op) { return (void)op, 3; }
static int kind(const void *op, size_t i) { return (void)op, i == 2 ? OPTIONAL_INPUT : 0; }
static int second_kind(const void *op, size_t i) { return (void)op, i == 1 ? OPTIONAL_INPUT : 0; }

#define IMAGES OPERATOR, .input_type = float_type, .inputs_alike = one, .output_kind = required, .infer = infer_sizes
#define DEPTHWISE IMAGES, .input_kind = kind

static custom_op operators[] = {
  {DEPTHWISE, .name = forward_name, .input_count = three, .compute2 = forward},
  {DEPTHWISE, .name = input_gradient_name, .input_count = two, .compute2 = input_gradient},
  {DEPTHWISE, .name = filter_gradient_name, .input_count = two, .compute2 = filter_gradient},
  {IMAGES, .name = columns_name, .input_count = two, .input_kind = second_kind, .compute2 = columns_of_rows},
  {IMAGES, .name = tap_name, .input_count = one_output, .input_kind = required, .compute2 = tap_of_image},
};

// The five, 0 to 4, for CustomOpDomain_Add. `ort` is the table of ONNX Runtime's C API.
EXPORT void *anemone_convolution(void *ort, int which) {
  api = ort;
  return &operators[which];
}
