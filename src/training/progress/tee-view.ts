// Passes progress on and keeps what was said in a file.
import { appendFileSync } from 'node:fs';
import { printableLines } from '../../errors/index.js';
import type { ProgressView, StepStatus } from './progress-view.js';

export class TeeView implements ProgressView {
  constructor(
    private readonly innerView: ProgressView,
    private readonly path: string,
  ) {}

  step(status: StepStatus, logged: boolean): void {
    this.innerView.step(status, logged);
  }

  evaluating(name: string, done: number, total: number): void {
    this.innerView.evaluating(name, done, total);
  }

  say(text: string): void {
    this.innerView.say(text);
    this.keep(text);
  }

  /** Writes it to the file alone. */
  keep(text: string): void {
    try {
      appendFileSync(this.path, `${new Date().toISOString()} ${printableLines(text)}\n`);
    } catch {
      // A log that cannot be written (a full disk) must not end a run; checkpoints report the disk.
    }
  }

  end(): void {
    this.innerView.end();
  }
}
