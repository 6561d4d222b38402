// The latest frames that each layer of one stream has seen, for the layers' next chunk.

export interface FrameCacheOptions {
  readonly layers: number;
  readonly width: number;
  /** Frames kept at most. */
  readonly limit: number;
  /** Frames there is room for at first; more are made, in doubling steps, up to the limit. */
  readonly initial: number;
}

export class FrameCache {
  /** Frames that are there. */
  length = 0;
  /** Frames there is room for. */
  capacity: number;
  /** [layers, capacity, width], the latest frame last and zeros before the first. */
  private values: Float32Array;

  constructor(private readonly options: FrameCacheOptions) {
    const { layers, width, limit, initial } = options;
    this.capacity = Math.min(limit, initial);
    this.values = new Float32Array(layers * this.capacity * width);
  }

  /** Puts what is there into `target` [layers, batch, room, width], as item `row`, at the end of its room. */
  copyTo(target: Float32Array, row: number, batch: number, room: number): void {
    const { layers, width } = this.options;
    for (let layer = 0; layer < layers; layer++) {
      const from = layer * this.capacity;
      const at = (layer * batch + row) * room + room - this.capacity;
      target.set(this.values.subarray(from * width, (from + this.capacity) * width), at * width);
    }
  }

  /** Adds the first `count` of the frames that item `row` of seen [layers, batch, frames, width] has. */
  append(newFrames: Float32Array, shape: readonly number[], row: number, count: number): void {
    const { layers, width, limit } = this.options;
    const [, batch, frames] = shape;
    this.makeRoom(Math.min(limit, this.length + count));
    const { capacity, values } = this;
    if (capacity === 0) return;
    const keptFrames = Math.min(count, capacity);
    for (let layer = 0; layer < layers; layer++) {
      const layerValues = values.subarray(layer * capacity * width, (layer + 1) * capacity * width);
      layerValues.copyWithin(0, keptFrames * width);
      const from = (layer * batch + row) * frames + count - keptFrames;
      layerValues.set(
        newFrames.subarray(from * width, (from + keptFrames) * width),
        (capacity - keptFrames) * width,
      );
    }
    this.length = Math.min(capacity, this.length + count);
  }

  private makeRoom(frames: number): void {
    if (frames <= this.capacity) return;
    const { layers, width, limit } = this.options;
    let capacity = Math.max(1, this.capacity);
    while (capacity < frames) capacity *= 2;
    capacity = Math.min(capacity, limit);
    const larger = new Float32Array(layers * capacity * width);
    this.copyTo(larger, 0, 1, capacity);
    this.values = larger;
    this.capacity = capacity;
  }
}
