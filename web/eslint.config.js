import js from '@eslint/js'
import globals from 'globals'

export default [
  { ignores: ['testdata/**'] }, // which is not of the page: pages and scripts as others write them
  js.configs.recommended,
  {
    rules: {
      'array-callback-return': 'error',
      eqeqeq: 'error',
      'max-len': ['error', { code: 100, tabWidth: 4, ignoreUrls: true,
        ignoreRegExpLiterals: true }],
      'no-constructor-return': 'error',
      'no-implicit-coercion': 'error',
      'no-promise-executor-return': 'off',
      'no-restricted-properties': ['error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'setHTML'].map(
        (property) => ({ property, message: 'Text never becomes markup.' }))],
      'no-shadow': 'error',
      'no-template-curly-in-string': 'error',
      'no-unused-vars': ['error', { varsIgnorePattern: '^_' }],
      'no-use-before-define': ['error', { functions: false, variables: false }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'require-atomic-updates': 'off',
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  { files: ['page/js/**', 'client/**'], languageOptions: { globals: globals.browser } },
  {
    files: ['page/js/theme.js', 'page/chat-room.js'],
    languageOptions: { sourceType: 'script', globals: globals.browser },
  },
  { files: ['page/sw.js'],
    languageOptions: { sourceType: 'script', globals: globals.serviceworker } },
  {
    files: ['page/js/failure.js'], // for browsers that are too old for the page
    languageOptions: { sourceType: 'script', ecmaVersion: 2015 },
    rules: { 'no-var': 'off', 'object-shorthand': 'off', 'prefer-const': 'off',
      'no-unused-vars': 'off' },
  },
  { files: ['test/**'], languageOptions: { globals: globals.node } },
]
