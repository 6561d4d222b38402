export { type Unpickled, type UnpickleOptions, unpickle } from './unpickle.js';
export {
  PickleExternal,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
  sequenceOf,
} from './values.js';
