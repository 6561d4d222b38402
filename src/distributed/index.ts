// Ranks: processes that train one model together, and what they say to each other.
export type { Communicator, Elements, Pending, Reduction } from './communicator.js';
export { coresOfRank } from './cores.js';
export { exchange, exchangeFailure } from './exchange.js';
export { libraryVersion } from './library-version.js';
export { type LaunchOptions, launchLocalRanks } from './local/launch.js';
export { LocalCommunicator, type LocalRank } from './local/local-communicator.js';
export { createSegment } from './local/segment.js';
export { ENDED_ELSEWHERE, EndedElsewhere } from './local/waiting.js';
export { copyElements, zeroElements } from './memory.js';
export { type Launcher, type Place, placeOf } from './place.js';
export { SelfCommunicator } from './self.js';
export { type JoinOptions, joinedWorld, joinWorld, type World } from './world.js';
