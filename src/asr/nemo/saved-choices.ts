// Losses and searches that a config names by `_target_`, as NeMo's sections say the same.
import type { SavedSections } from './saved-sections.js';

/**
 * A loss whose keys stand in its section, but for `reduction`, which NeMo has beside the section.
 * @param name of the one component that NeMo's models have; @param reduction its key there; @param keepsSection whether NeMo
 * reads the section
 */
export function lossChoice(path: string, name: string, reduction: string, keepsSection: boolean) {
  return (target: string, config: SavedSections): boolean => {
    const section = config.at(path);
    if (!section || target.slice(target.lastIndexOf('.') + 1) !== name) return false;
    const parent = path.includes('.') ? path.slice(0, path.lastIndexOf('.')) : '';
    if ('reduction' in section) config.set(parent, { [reduction]: section['reduction'] });
    if (keepsSection) config.remove(path, ['_target_', 'reduction']);
    else config.remove(parent, [path.slice(path.lastIndexOf('.') + 1)]);
    return true;
  };
}

/** A search of this library is NeMo's by its strategy. */
export function strategyChoice(path: string, strategies: readonly string[]) {
  return (target: string, config: SavedSections): boolean => {
    if (!strategies.includes(target)) return false;
    config.remove(path, ['_target_']);
    config.set(path, { strategy: target });
    return true;
  };
}
