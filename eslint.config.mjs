/**
 * Lint rules that catch defects: lost promises and lost causes, unchecked types, forgotten cases. Style is Prettier's. The structure of the
 * project (imports, sizes, names) is checked by `test/tidy`.
 */
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'data/', '**/node_modules/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      // What went wrong below must reach the log: no error is swallowed in silence, and none is replaced without naming it as the cause.
      'no-empty': 'error',
      'preserve-caught-error': 'error',
      'prefer-const': 'error',
      'object-shorthand': 'error',
      // Nothing that comes from outside is ever run as code.
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-restricted-imports': ['error', 'vm', 'node:vm'],
      // An import that only a decorated constructor names must stay a value, or Nest cannot inject it; the rule knows that from
      // `emitDecoratorMetadata`. Separate type imports keep the rest out of the running program.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports', disallowTypeAnnotations: true }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true }],
      // A Nest module is a class without members; a token of injection may be one with only a constructor.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowConstructorOnly: true }],
      // Objects that only group functions, such as a dialect of SQL, are taken apart on purpose.
      '@typescript-eslint/unbound-method': 'off',
      // What a driver answers is not always what the row type says: a count may arrive as text.
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      // Flow analysis does not see what a callback has changed meanwhile: it calls checks needless that are not.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Bodies and answers are plain objects of the documented shape; their classes only carry the documentation.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // `Promise<void> | void` is how a callback says that it may, but need not, take time.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowNullish: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Row and column access through index signatures is written with brackets on purpose.
      '@typescript-eslint/dot-notation': 'off',
    },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: {
      // Matchers of Jest are typed as any, and a test names what it knows to be there.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // Scripts inside documents are looked at, not run.
      'no-restricted-imports': 'off',
      // One does what the inspector does: it asks in the global scope.
      'no-eval': ['error', { allowIndirect: true }],
      // Tests throw strange things on purpose.
      '@typescript-eslint/only-throw-error': 'off',
    },
  },
);
