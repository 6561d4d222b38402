// Resolves everything a container holds: a class parameter without a token, or a token nobody registered, shows here.
import { expect } from 'vitest';
import type { Container } from '../../src/container/index.js';

/** Resolves each registered service, expecting a value, and returns how many there were. */
export function walkRegistrations(container: Container): number {
  const services = container.services();
  for (const service of services) {
    const value = container.resolve(service);
    expect(value, String(service.symbol.description)).not.toBeUndefined();
    if (typeof value === 'object' && value !== null) {
      for (const [field, part] of Object.entries(value)) {
        expect(part, `${service.symbol.description}.${field}`).not.toBeUndefined();
      }
    }
  }
  return services.length;
}
