// What is being made at the moment, in a container and all scopes inside it: who needs what, for error messages, for the
// detection of circles, and so that a service lives where the innermost of what it needs lives.
import { AnemoneError } from '../errors/index.js';

/** How one service is made, in one container. */
export interface Registration {
  readonly symbol: symbol;
  /** How many containers are around the one it is registered in. */
  readonly depth: number;
}

/** What is being made: a service, or a component. */
interface Frame {
  readonly name: string;
  readonly registration: Registration | undefined;
  /** The container that was asked. */
  readonly asked: object;
  /** All that it asked this container for so far, and what those asked for. */
  readonly needs: Map<symbol, Registration>;
}

/** A thing made, and the services that it was made of. */
export interface Made<T> {
  readonly value: T;
  readonly needs: ReadonlyMap<symbol, Registration>;
}

export class Resolution {
  private readonly frames: Frame[] = [];
  /** The first thing that went wrong in the resolve under way: tsyringe turns it into text on its way up. */
  private failure: unknown;

  /** Runs `make`, and says what went wrong first where it fails. */
  attempt<T>(make: () => T): T {
    if (this.frames.length === 0) this.failure = undefined;
    try {
      return make();
    } catch (error) {
      throw error instanceof AnemoneError ? error : (this.failure ?? error);
    }
  }

  /** Makes a service of a registration, for the container asked. @throws AnemoneError `container.cycle` */
  service<T>(registration: Registration, asked: object, make: () => T): Made<T> {
    const { symbol } = registration;
    const first = this.frames.findIndex((frame) => frame.registration === registration);
    if (first >= 0) {
      const circle = [...this.frames.slice(first).map(({ name }) => name), nameOf(symbol)];
      this.failure = new AnemoneError({
        code: 'container.cycle',
        message: `services need each other in a circle: ${circle.join(' → ')}`,
        hint: 'let one of them resolve the other later, when it is used',
      });
      throw this.failure;
    }
    const needs = new Map([[symbol, registration]]);
    return this.inFrame({ name: nameOf(symbol), registration, asked, needs }, make);
  }

  /** Makes a component for the container asked. @param name for messages */
  component<T>(name: string, asked: object, make: () => T): T {
    return this.inFrame({ name, registration: undefined, asked, needs: new Map() }, make).value;
  }

  /**
   * Notes that what is being made needs something that was made of `needs`. What it has of a certain other container, such
   * as the log around its own, is the same for whoever asks.
   */
  note(needs: ReadonlyMap<symbol, Registration>, asked: object): void {
    const frame = this.frames.at(-1);
    if (frame?.asked !== asked) return;
    for (const [symbol, registration] of needs) frame.needs.set(symbol, registration);
  }

  /** `, needed by greeter → clock`, or nothing. */
  get neededBy(): string {
    return this.frames.length === 0 ? '' : `, needed by ${this.frames.map(({ name }) => name).join(' → ')}`;
  }

  private inFrame<T>(frame: Frame, make: () => T): Made<T> {
    this.frames.push(frame);
    try {
      return { value: make(), needs: frame.needs };
    } catch (error) {
      this.failure ??= error;
      throw error;
    } finally {
      this.frames.pop();
      this.note(frame.needs, frame.asked);
    }
  }
}

/** `anemone:clock` without its prefix. */
export function nameOf(symbol: symbol): string {
  return (symbol.description ?? '').replace(/^anemone:/, '');
}
