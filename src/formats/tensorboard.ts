// TensorBoard event files: TFRecord framing around Event messages. Scalars, histograms, texts and images are
// written, each event in one write, so that a killed run leaves a readable file. Layouts: TensorFlow's
// event.proto, summary.proto and tensor.proto.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AnemoneError } from '../errors/index.js';
import { maskedCrc32c } from './crc32c.js';
import { makeFolder } from './make-folder.js';
import { encodePng, type PngImage } from './png.js';
import { ProtoReader, ProtoWriter } from './protobuf.js';

/** One length-prefixed, checksummed record. */
export function tfRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(payload.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(payload, 12);
  view.setUint32(12 + payload.length, maskedCrc32c(payload), true);
  return record;
}

/** How an event file is named and what its readers are told first. */
export interface EventWriterOptions {
  /** Seconds since 1970; default the system's clock. For reproducible tests. */
  readonly clock?: () => number;
  /** Appended to the file's name. */
  readonly suffix?: string;
  /** A file whose events come before: the new one's name sorts after it, whatever the clock says. */
  readonly after?: string | undefined;
  /** First step of a run that goes on: readers that are open drop what they have from there on. */
  readonly restartAt?: number | undefined;
}

/** Event files start so; the number that follows is in seconds. */
const NAME = /^events\.out\.tfevents\.(\d+)\./;
/** SessionLog.START of event.proto. */
const SESSION_START = 1;

const DT_STRING = 7;

/** Appends events to a new file in `directory`. Not shared between processes. */
export class EventWriter {
  /** The file written to. */
  readonly path: string;
  private readonly file: number;
  private readonly clock: () => number;
  private closed = false;

  /** @throws AnemoneError `tensorboard.write` when the directory cannot be written */
  constructor(directory: string, options: EventWriterOptions = {}) {
    this.clock = options.clock ?? (() => Date.now() / 1000);
    const before = Number(NAME.exec(options.after ?? '')?.[1] ?? -1);
    const seconds = Math.max(Math.floor(this.clock()), before + 1)
      .toString()
      .padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}${options.suffix ?? ''}`;
    this.path = join(directory, name);
    try {
      makeFolder(directory);
      this.file = openSync(this.path, 'a');
    } catch (cause) {
      throw this.failure(cause);
    }
    this.event(0, (w) => w.string(3, 'brain.Event:2'));
    const { restartAt } = options;
    if (restartAt !== undefined)
      this.event(restartAt, (w) => w.message(7, (log) => log.int32(1, SESSION_START)));
  }

  /** Writes one point of the curve `tag`. */
  scalar(tag: string, value: number, step: number): void {
    this.value(tag, step, (w) => w.float(2, value));
  }

  /** Markdown, shown in the text tab. */
  text(tag: string, text: string, step: number): void {
    this.value(tag, step, (w) => {
      w.message(8, (tensor) =>
        tensor
          .int32(1, DT_STRING)
          .message(2, (shape) => shape.message(2, (dim) => dim.int64(1, 1)))
          .string(8, text),
      );
      w.message(9, (metadata) => metadata.message(1, (plugin) => plugin.string(1, 'text')));
    });
  }

  /** A picture; it is written as PNG. */
  image(tag: string, image: PngImage, step: number): void {
    const png = encodePng(image);
    const channels = image.pixels.length / (image.width * image.height);
    this.value(tag, step, (w) =>
      w.message(4, (m) => m.int32(1, image.height).int32(2, image.width).int32(3, channels).bytes(4, png)),
    );
  }

  /** The distribution of values, in equal bins between the least and the greatest. */
  histogram(tag: string, values: ArrayLike<number>, step: number, bins = 30): void {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    let sum = 0;
    let squares = 0;
    const count = values.length;
    for (let i = 0; i < count; i++) {
      min = Math.min(min, values[i]);
      max = Math.max(max, values[i]);
      sum += values[i];
      squares += values[i] * values[i];
    }
    if (!(max - min < Number.POSITIVE_INFINITY)) return; // empty, or not finite: nothing to draw
    const width = (max - min) / bins || 1;
    const counts = new Float64Array(bins);
    for (let i = 0; i < count; i++) counts[Math.min(bins - 1, Math.floor((values[i] - min) / width))]++;
    const limits = Float64Array.from({ length: bins }, (_, i) => min + (i + 1) * width);
    this.value(tag, step, (w) =>
      w.message(5, (m) =>
        m
          .double(1, min)
          .double(2, max)
          .double(3, count)
          .double(4, sum)
          .double(5, squares)
          .packedDouble(6, limits)
          .packedDouble(7, counts),
      ),
    );
  }

  /** Makes what was written survive a power failure. */
  flush(): void {
    if (!this.closed) fsyncSync(this.file);
  }

  /** Closes the file; further events are errors, a second `close` does nothing. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.file);
  }

  private value(tag: string, step: number, write: (writer: ProtoWriter) => void): void {
    this.event(step, (w) =>
      w.message(5, (summary) => summary.message(1, (value) => write(value.string(1, tag)))),
    );
  }

  private event(step: number, write: (writer: ProtoWriter) => void): void {
    const writer = new ProtoWriter().double(1, this.clock());
    if (step !== 0) writer.int64(2, step);
    write(writer);
    if (this.closed) throw this.failure(new Error('the writer is closed'));
    try {
      const record = tfRecord(writer.finish());
      for (let at = 0; at < record.length; ) at += writeSync(this.file, record, at);
    } catch (cause) {
      throw this.failure(cause);
    }
  }

  private failure(cause: unknown): AnemoneError {
    return new AnemoneError({
      code: 'tensorboard.write',
      message: `the TensorBoard log cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      position: { file: this.path },
      hint: 'check permissions and free space',
      cause,
    });
  }
}

/** One point of a curve, as read from an event file. `wallTime` is in seconds since 1970. */
export interface ScalarEvent {
  readonly tag: string;
  readonly value: number;
  readonly step: number;
  readonly wallTime: number;
}

/** The scalars of an event file, in order; an incomplete last record is left out. */
export function readScalarEvents(bytes: Uint8Array): ScalarEvent[] {
  return [...records(bytes)].flatMap(({ payload }) => readEvent(payload).scalars);
}

/** What one record of an event file holds. */
export interface EventOutline {
  readonly step: number;
  /** Scalars, and texts for the text tab. */
  readonly scalars: number;
  readonly texts: number;
}

/**
 * The event file without the records that `keep` refuses and without an incomplete last one; the very bytes given when
 * all stay, undefined when nothing but the head would be left. `keep` is asked in order, not about the head.
 * @throws AnemoneError `tensorboard.corrupt`
 */
export function filterEvents(
  bytes: Uint8Array,
  keep: (event: EventOutline) => boolean,
): Uint8Array | undefined {
  const keptRecords: Uint8Array[] = [];
  let [size, events] = [0, 0];
  for (const { record, payload } of records(bytes)) {
    const { step, scalars, texts, isHead } = readEvent(payload);
    if (!isHead && !keep({ step, scalars: scalars.length, texts })) continue;
    keptRecords.push(record);
    size += record.length;
    if (!isHead) events++;
  }
  if (events === 0) return undefined;
  return size === bytes.length ? bytes : Buffer.concat(keptRecords);
}

function* records(bytes: Uint8Array): Generator<{ record: Uint8Array; payload: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    if (at + 16 + length > bytes.length) break;
    const payload = bytes.subarray(at + 12, at + 12 + length);
    const intact =
      view.getUint32(at + 8, true) === maskedCrc32c(bytes.subarray(at, at + 8)) &&
      view.getUint32(at + 12 + length, true) === maskedCrc32c(payload);
    if (!intact) {
      throw new AnemoneError({
        code: 'tensorboard.corrupt',
        message: `record at byte ${at} fails its checksum`,
      });
    }
    yield { record: bytes.subarray(at, at + 16 + length), payload };
    at += 16 + length;
  }
}

interface ReadEvent {
  readonly step: number;
  readonly scalars: ScalarEvent[];
  readonly texts: number;
  /** The version of the format, or the note of a restart. */
  readonly isHead: boolean;
}

function readEvent(payload: Uint8Array): ReadEvent {
  const event = new ProtoReader(payload);
  let [wallTime, step, texts] = [0, 0, 0];
  let isHead = false;
  const scalars: { tag: string; value: number }[] = [];
  while (event.next()) {
    if (event.field === 1) wallTime = event.double();
    else if (event.field === 2) step = event.int64();
    else if (event.field === 3 || event.field === 7) isHead = true;
    else if (event.field === 5) {
      const summary = event.message();
      while (summary.next()) {
        if (summary.field !== 1) continue;
        const value = summary.message();
        let tag = '';
        while (value.next()) {
          if (value.field === 1) tag = value.string();
          else if (value.field === 2) scalars.push({ tag, value: value.float() });
          else if (value.field === 8) texts++;
        }
      }
    }
  }
  return { step, texts, isHead, scalars: scalars.map((scalar) => ({ ...scalar, step, wallTime })) };
}
