// Run by tsx, which compiles with esbuild and emits no decorator metadata: prints what was injected.
import { fullContainer, GREETER, PLAIN_GREETER } from './fixtures.js';

const container = fullContainer();
for (const greeter of [container.resolve(GREETER), container.resolve(PLAIN_GREETER)]) {
  console.log(JSON.stringify({ clock: typeof greeter.clock, time: greeter.clock(), name: greeter.name }));
}
