// A plugin of typedoc: `npm run docs` fails where a public symbol has no docstring. typedoc's own `notDocumented` takes a
// lone `@param` for one, and for a class what is said of its interface. Properties may explain themselves by name.
import { Application, Converter, ReflectionKind } from 'typedoc';

const KINDS =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Enum |
  ReflectionKind.Variable |
  ReflectionKind.Function |
  ReflectionKind.Method |
  ReflectionKind.Accessor;

/** @param {import('typedoc').Application} app */
export function load(app) {
  const undocumentedTypes = new Set();
  // Later, classes and interfaces have the docstrings of what they implement or extend.
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of project.getReflectionsByKind(ReflectionKind.ClassOrInterface)) {
      if (!hasDocstring(reflection)) undocumentedTypes.add(reflection);
    }
  });
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    const exemptNames = app.options.getValue('intentionallyNotDocumented');
    const reported = new Set();
    for (const reflection of project.getReflectionsByKind(KINDS)) {
      const name = reflection.getFullName();
      if (hasDocstring(reflection) && !undocumentedTypes.has(reflection)) continue;
      if (isForeign(reflection) || name.includes('__type') || exemptNames.includes(name)) continue;
      // A method that many classes inherit is one mistake.
      const source = project.getSymbolIdFromReflection(reflection);
      const place = `${source?.packagePath}:${source?.pos}`;
      if (!reported.has(place))
        app.logger.validationWarning(`${name} (${source?.packagePath}) has no docstring`);
      reported.add(place);
    }
  });
}

/** Whether sentences stand before the tags, of the symbol or of one of its signatures. Members inherit them. */
function hasDocstring(reflection) {
  const { signatures = [], getSignature, setSignature } = reflection;
  return [reflection, ...signatures, getSignature, setSignature].some(
    (part) => part?.comment?.summary.length > 0,
  );
}

/** Whether a symbol comes from another package, such as a method of `Error`. */
function isForeign(reflection) {
  const source = reflection.project.getSymbolIdFromReflection(reflection);
  return source !== undefined && source.packageName !== 'anemone-ml';
}
