/**
 * A growing curve in bounded memory. When full, neighbouring points are merged to their extremes,
 * so that a spike never disappears and the whole history stays in view.
 */
export class Series {
  steps: Float64Array;
  values: Float64Array;
  length = 0;
  /** The step of the newest point received; what comes next is asked for after it. */
  lastStep = -1;
  epoch = 0;
  version = 0;

  constructor(private readonly capacity = 16384) {
    this.steps = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
  }

  clear(epoch: number): void {
    this.length = 0;
    this.lastStep = -1;
    this.epoch = epoch;
    this.version++;
  }

  /** Add (step, value) pairs; steps that are already here are left out. */
  push(pairs: Float64Array): void {
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const step = pairs[index] as number;
      if (step <= this.lastStep) continue;
      if (this.length === this.capacity) this.merge();
      this.steps[this.length] = step;
      this.values[this.length] = pairs[index + 1] as number;
      this.length++;
      this.lastStep = step;
    }
    this.version++;
  }

  /** Four points become two: the lowest and the highest of them, in the order they came. */
  private merge(): void {
    let write = 0;
    for (let start = 0; start < this.length; start += 4) {
      const end = Math.min(start + 4, this.length);
      let low = start;
      let high = start;
      for (let index = start + 1; index < end; index++) {
        const value = this.values[index] as number;
        if (!(value >= (this.values[low] as number))) low = index;
        if (value > (this.values[high] as number)) high = index;
      }
      for (const index of low < high ? [low, high] : high < low ? [high, low] : [low]) {
        this.steps[write] = this.steps[index] as number;
        this.values[write] = this.values[index] as number;
        write++;
      }
    }
    this.length = write;
  }

  /** Index of the point nearest to a step. */
  nearest(step: number): number {
    let low = 0;
    let high = this.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.steps[middle] as number) < step) low = middle;
      else high = middle;
    }
    const before = Math.abs((this.steps[low] ?? 0) - step);
    return before <= Math.abs((this.steps[high] ?? 0) - step) ? low : high;
  }
}

/** Read the wire's little-endian float64 pairs, wherever they lie in their buffer. */
export function pairsOf(points: ArrayBuffer | ArrayBufferView): Float64Array {
  const bytes =
    points instanceof ArrayBuffer
      ? new Uint8Array(points)
      : new Uint8Array(points.buffer, points.byteOffset, points.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pairs = new Float64Array(Math.floor(bytes.byteLength / 8));
  for (let index = 0; index < pairs.length; index++)
    pairs[index] = view.getFloat64(index * 8, true);
  return pairs;
}
