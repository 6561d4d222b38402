// Scalars and texts for TensorBoard. A resumed run writes a new event file beside the old one.
import { EventWriter } from '../../formats/index.js';
import type { MetricsLogger } from './logger.js';

export class TensorBoardLogger implements MetricsLogger {
  private writer: EventWriter | undefined;

  constructor(readonly directory: string) {}

  async start(): Promise<void> {
    this.writer ??= new EventWriter(this.directory);
  }

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    for (const [tag, value] of Object.entries(metrics)) this.writer?.scalar(tag, value, step);
  }

  async text(step: number, tag: string, text: string): Promise<void> {
    this.writer?.text(tag, text, step);
  }

  async close(): Promise<void> {
    this.writer?.close();
    this.writer = undefined;
  }
}
