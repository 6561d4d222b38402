export { CounterRandom } from './counter-random.js';
export { MersenneTwister } from './mersenne-twister.js';
