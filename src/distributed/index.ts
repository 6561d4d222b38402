// Ranks: processes that train one model together, and what they say to each other.
export type { Communicator, Elements, Pending, Reduction } from './communicator.js';
export { coresOfRank } from './cores.js';
export { ENDED_ELSEWHERE, EndedElsewhere } from './ended-elsewhere.js';
export { exchange, exchangeFailure } from './exchange.js';
export { type LaunchOptions, launchLocalRanks } from './local/launch.js';
export { LocalCommunicator, type LocalRank } from './local/local-communicator.js';
export { createSegment } from './local/segment.js';
export { copyElements, zeroElements } from './memory.js';
export { type Launcher, type Place, placeOf } from './place.js';
export { isRunning, startOf } from './processes.js';
export { reportAmongRanks } from './report.js';
export { SelfCommunicator } from './self.js';
export { isTold } from './told.js';
export { type JoinOptions, joinedWorld, joinWorld, type World } from './world.js';
