export { CounterRandom } from './counter-random.js';
