// The error of a rank that stops because another has failed: that one says why, and this one nothing.
import { AnemoneError } from '../errors/index.js';

/** Exit code of a local rank that stopped because another had failed. */
export const ENDED_ELSEWHERE = 75;

/** Another rank has failed, and says why. */
export class EndedElsewhere extends AnemoneError {
  override readonly exitCode: number;

  /** @param exitCode for this process */
  constructor(exitCode: number) {
    super({ code: 'distributed.ended', message: 'another rank has failed, and this one stops' });
    this.exitCode = exitCode;
  }
}
