# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Change numbers and conditions of the package and count who notices.

Randomly chosen lines are changed one by one, and the tests that run them are
run, the quickest of the same folder first::

    python benchmarks/mutants.py image background --tests tests/image \
        tests/background --lines /tmp/lines --number 50 --seed 1

Tests that ``/tmp/lines`` does not know are run once before, without a change,
to see which lines they run and how long they take; those that fail or take
long do not count.

Numbers are changed by one or by a factor of two; comparisons are turned
round, or lose or gain their equality; ``and`` and ``or``, plus and minus,
times and divided by are exchanged; ``not``, ``~`` and minus signs are left
out. Every change is made in memory, in a process of its own that is forked
when the tests are collected. Not changed are the bodies of classes, the
default values of arguments, messages, and what only guards or tells where a
warning comes from (``strict=`` and ``stacklevel=``).

The figures in ``docs/mutants.inc`` are those of ``benchmarks/mutants.json``::

    python benchmarks/mutants.py --write docs/mutants.inc
"""

import argparse
import ast
import functools
import gc
import hashlib
import importlib
import json
import os
import pickle
import random
import re
import resource
import signal
import sys
import time
import traceback
import types
import warnings
from collections import defaultdict
from pathlib import Path

import coverage
import numpy as np
import pytest

__all__ = ['apply_mutant', 'find_mutants', 'main']

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'astro_pix2prof'

_BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
             ast.GtE: ast.Gt}
_OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE,
             ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
             ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
             ast.NotIn: ast.In}
_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
               ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
               ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
               ast.Pow: ast.Mult}

# Arguments that change no result.
_GUARDS = {'strict', 'stacklevel'}

# Packages whose modules are imported before the changes, and not again for
# each.
_HEAVY = {'astro_pix2prof', 'astropy', 'matplotlib', 'numpy', 'photutils',
          'scipy', 'skimage', 'statmorph', 'torch'}

# Memory (bytes) that a change may use, and seconds and times its usual time
# of the processor after which it is endless.
_MEMORY, _PATIENCE, _TIMES = 4 * 2**30, 5, 4

# Longest time (seconds) of a change that waits for something.
_WAIT = 900


def _changed(value):
    """
    List the numbers that are tried in place of one.
    """
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int) and abs(value) <= 3:
        return [value + 1, value - 1]
    if value == 0:
        return [1.0]
    return [value * 2, value // 2 if isinstance(value, int) else value / 2]


def _visit(node, field=None):
    """
    Yield the nodes whose change could change a result.
    """
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or field in (
            'annotation', 'returns', 'decorator_list'):
        return
    if isinstance(node, ast.keyword) and node.arg in _GUARDS:
        return
    if isinstance(node, ast.If) and isinstance(
            node.test, ast.Name) and node.test.id == 'TYPE_CHECKING':
        return
    if isinstance(node, ast.Assign) and isinstance(
            node.targets[0], ast.Name) and node.targets[0].id in (
            'msg', '__all__'):
        return
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _visit(child, name)


def _replace(node, new):
    """
    Turn a node into another one, in place.
    """
    old = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
    node.__class__ = new.__class__
    for name in list(vars(node)):
        delattr(node, name)
    vars(node).update(vars(new))
    (node.lineno, node.col_offset, node.end_lineno,
     node.end_col_offset) = old


def find_mutants(tree):
    """
    List the changes of numbers and conditions of a module.

    Parameters
    ----------
    tree : `ast.Module`
        The parsed module.

    Returns
    -------
    changes : list of (int, str, callable)
        The line, a description, and the function that makes the change in
        ``tree``.
    """
    found = []

    def add(node, old, new, change):
        found.append((node.lineno, f'{old} -> {new}', change))

    for node in _visit(tree):
        kind = type(node)
        if kind is ast.Constant and isinstance(node.value, (int, float)):
            for new in _changed(node.value):
                add(node, ast.unparse(node), new, lambda node=node, new=new:
                    setattr(node, 'value', new))
        elif kind is ast.Compare:
            for k, op in enumerate(node.ops):
                for table in (_OPPOSITE, _BOUNDARY):
                    # (equality is no matter where numbers are continuous)
                    whole = table is _OPPOSITE or isinstance(getattr(
                        node.comparators[k], 'value', None), int)
                    if type(op) in table and whole:
                        new = table[type(op)]()
                        add(node, ast.unparse(node), type(new).__name__,
                            lambda node=node, k=k, new=new:
                            node.ops.__setitem__(k, new))
        elif kind is ast.BoolOp:
            new = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            add(node, ast.unparse(node), type(new).__name__,
                lambda node=node, new=new: setattr(node, 'op', new))
        elif kind in (ast.BinOp, ast.AugAssign) and type(
                node.op) in _ARITHMETIC and not isinstance(
                getattr(node, 'left', None), (ast.Constant, ast.JoinedStr)
                ) | isinstance(getattr(getattr(node, 'left', None), 'value',
                                       None), str):
            new = _ARITHMETIC[type(node.op)]()
            add(node, ast.unparse(node), type(new).__name__,
                lambda node=node, new=new: setattr(node, 'op', new))
        elif kind is ast.UnaryOp and not isinstance(node.op, ast.UAdd):
            add(node, ast.unparse(node), 'left out', lambda node=node:
                _replace(node, node.operand))
        if kind in (ast.If, ast.IfExp, ast.While) and not isinstance(
                node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            add(node.test, 'if ' + ast.unparse(node.test), 'not',
                lambda node=node: setattr(node, 'test', ast.copy_location(
                    ast.UnaryOp(ast.Not(), node.test), node.test)))
    return found


def _digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class _Lines:
    """
    Know which test runs which line, and how long it takes.
    """

    def __init__(self, path):
        self.path = path
        self.tests, self.lines, self.files, self.modules = {}, {}, {}, []
        if path.exists():
            self.tests, self.lines, self.files, self.modules = pickle.loads(
                path.read_bytes())

    def forget_changed(self):
        """
        Forget tests that changed, or that run a module that changed.
        """
        stale = {path for path, digest in self.files.items()
                 if not Path(path).exists() or _digest(path) != digest}
        gone = {name for name in self.tests
                if str(ROOT / name.split('::')[0]) in stale}
        for path in stale & self.lines.keys():
            gone |= set().union(*self.lines[path].values())
        for name in gone:
            del self.tests[name]
        for path in self.lines:
            self.lines[path] = {} if path in stale else {
                line: names - gone
                for line, names in self.lines[path].items()}
        self.files = {path: digest for path, digest in self.files.items()
                      if path not in stale}

    def add(self, data, reports, modules):
        """
        Take in what was measured, and keep it in the file.
        """
        times, failed = defaultdict(float), set()
        for name, seconds, has_failed in reports:
            times[name] += seconds
            if has_failed:
                failed.add(name)
        self.tests.update({name: None if name in failed else seconds
                           for name, seconds in times.items()})
        together = defaultdict(set)
        for name in times:
            together[name.split('::')[0]].add(name)
        for path in data.measured_files():
            by_line = self.lines.setdefault(path, {})
            for line, contexts in data.contexts_by_lineno(path).items():
                here = by_line.setdefault(line, set())
                for name, _, phase in (c.partition('|') for c in contexts):
                    # fixtures are made by the first test that asks for them
                    here.update(together[name.split('::')[0]]
                                if phase == 'setup' else {name} & {*times})
        for path in [*self.lines, *(ROOT / name for name in together)]:
            self.files[str(path)] = _digest(path)
        self.modules = sorted({*self.modules, *modules})
        self.path.write_bytes(pickle.dumps(
            (self.tests, self.lines, self.files, self.modules)))


@functools.cache
def _words(name):
    return set(re.findall(r'\w+', (ROOT / name).read_text()))


def _mentions(name, words):
    return bool(_words(name) & words)


def _users(path, tree, line, tests, known):
    """
    Find the tests that a line concerns.
    """
    by_line = tests.get(str(path), {})
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)
              and node.lineno <= line <= node.end_lineno]
    if any(isinstance(node, ast.FunctionDef) for node in inside):
        # (the head of a loop or a condition, not what it holds)
        last = inside[-1]
        end = last.body[0].lineno - 1 if getattr(
            last, 'body', None) else last.end_lineno
        return by_line.get(line) or set().union(*(
            by_line.get(k, ()) for k in range(last.lineno, end + 1)))
    # run at import: tests of the functions that use the name
    names = set()
    for node in tree.body:
        if node.lineno <= line <= node.end_lineno:
            names |= {part.id for part in ast.walk(node) if isinstance(
                part, ast.Name) and isinstance(part.ctx, ast.Store)}
            names |= {node.name} if isinstance(node, ast.ClassDef) else set()
    # (and of other constants that are made of it)
    for node in tree.body:
        if isinstance(node, ast.Assign) and names & {
                part.id for part in ast.walk(node)
                if isinstance(part, ast.Name)}:
            names |= {part.id for part in ast.walk(node) if isinstance(
                part, ast.Name) and isinstance(part.ctx, ast.Store)}
    # (of this package, and tests that import it)
    inner = {part.target.id for node in tree.body for part in ast.walk(node)
             if isinstance(part, ast.comprehension)
             and isinstance(part.target, ast.Name)}
    users = {test for test in known
             if _mentions(test.split('::')[0], names - inner)}
    for other in tests:
        if Path(other) != path and all(n.startswith('_') for n in names):
            continue
        for node in ast.walk(ast.parse(Path(other).read_text())):
            name = getattr(node, 'id', getattr(node, 'attr', None))
            if name in names:
                users |= tests[other].get(node.lineno, set())
    return users


def _codes(code):
    """
    Collect the code of functions, and of those within classes.
    """
    found = {}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found[const.co_qualname, const.co_firstlineno] = const
            found |= _codes(const)
    return found


def _same(one, two):
    try:
        return bool(np.all(one == two))
    except (TypeError, ValueError):
        return False


def apply_mutant(path, number):
    """
    Change a module that is loaded.

    Parameters
    ----------
    path : `~pathlib.Path`
        The module.

    number : int
        Index of the change in `find_mutants`.
    """
    name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    module = importlib.import_module(name.removesuffix('.__init__'))
    tree = ast.parse(path.read_text())
    line, _, change = find_mutants(tree)[number]
    change()
    code = compile(tree, str(path), 'exec')
    codes = _codes(code)
    for function in gc.get_objects():
        if (type(function) is types.FunctionType
                and function.__globals__ is vars(module)):
            old = function.__code__
            new = codes.get((old.co_qualname, old.co_firstlineno))
            if new is not None and new.co_freevars == old.co_freevars:
                function.__code__ = new
    top = next(node for node in tree.body
               if node.lineno <= line <= node.end_lineno)
    if isinstance(top, (ast.FunctionDef, ast.ClassDef)):
        return
    # a constant: here, and wherever it was imported
    fresh = {key: value for key, value in vars(module).items()
             if key.startswith('__')}
    exec(code, fresh)
    names = {node.id for node in ast.walk(top) if isinstance(node, ast.Name)
             and isinstance(node.ctx, ast.Store)}
    for key, old in list(vars(module).items()):
        new = fresh.get(key)
        if key in names or (isinstance(old, (int, float, tuple, list, dict))
                            and not _same(old, new)):
            # (in tests, too)
            for other in list(sys.modules.values()):
                if (getattr(other, '__file__', None) or '').startswith(
                        str(ROOT)) and vars(other).get(key) is old:
                    setattr(other, key, new)


def _is_body(tree, line):
    """
    Tell whether a line is a constant or in the body of a function.
    """
    inside = [node for node in ast.walk(tree) if isinstance(node, (
        ast.FunctionDef, ast.ClassDef)) and node.lineno <= line <= (
            node.end_lineno)]
    return not inside or (isinstance(inside[-1], ast.FunctionDef)
                          and line >= inside[-1].body[0].lineno)


class _Mutation:
    """
    Run tests with changes instead of running all tests once.
    """

    def __init__(self, options):
        self.options = options
        self.failed = False
        self.pipe = self.coverage = self.since = None
        self.reports = []

    def pytest_runtest_logreport(self, report):
        self.failed |= report.failed
        if self.coverage:
            # (of the processor: others may use it, too)
            now = time.process_time()
            self.reports.append((report.nodeid, now - self.since,
                                 report.failed))
            self.since = now
        elif report.failed:
            os.write(self.pipe, report.nodeid.encode())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        if self.coverage:
            self.coverage.switch_context(f'{item.nodeid}|setup')

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        if not self.coverage:
            return (yield)
        self.coverage.switch_context(f'{item.nodeid}|call')
        # (one that is never chosen need not end)
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * self.options.seconds)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def pytest_runtestloop(self, session):
        # (the collector has to find functions to change them)
        gc.unfreeze()
        self.items = {item.nodeid: item for item in session.items}
        self.lines = _Lines(Path(self.options.lines))
        self.lines.forget_changed()
        for folder in self.options.tests:
            self.measure([name for name in self.items
                          if name.startswith(folder)
                          and name not in self.lines.tests])
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            for name in self.lines.modules:
                importlib.import_module(name)
        with open(self.options.output, 'a') as self.output:
            for part in self.options.part:
                self.run_part(part)
        return True

    def measure(self, names):
        """
        Run tests without a change, in another process.
        """
        if not names:
            return
        kept = Path(f'{self.options.lines}.{os.getpid()}')
        known = set(sys.modules)

        def stop(*_):
            raise TimeoutError

        def run():
            signal.signal(signal.SIGVTALRM, stop)
            data = coverage.Coverage(data_file=None, source=[str(PACKAGE)],
                                     config_file=False)
            data.start()
            self.coverage, self.since = data, time.process_time()
            self.run_tests(names, to_end=True)
            data.stop()
            kept.write_bytes(pickle.dumps((data.get_data().dumps(),
                                           self.reports, [
                name for name, module in sys.modules.items()
                if name.split('.')[0] in _HEAVY and name not in known
                and getattr(module, '__spec__', None)])))

        self.fork(run, limit=np.inf)
        text, reports, modules = pickle.loads(kept.read_bytes())
        kept.unlink()
        data = coverage.CoverageData(no_disk=True)
        data.loads(text)
        self.lines.add(data, reports, modules)
        bad = [name for name in names if self.lines.tests.get(name, 0) is None]
        print(f'{len(names)} tests measured, failed: {bad}')

    def run_part(self, part):
        place = PACKAGE / part
        mutants = []
        for path in sorted(place.glob('*.py')) if place.is_dir() else [
                PACKAGE / name for name in part.split(',')]:
            tree = ast.parse(path.read_text())
            mutants += [(path, k, line, text) for k, (line, text, _) in
                        enumerate(find_mutants(tree)) if re.search(
                            self.options.only,
                            f'{path.name}:{line}: {text}')
                        and _is_body(tree, line)]
        random.Random(self.options.seed).shuffle(mutants)
        count, chosen = 0, mutants[:self.options.number]
        for path, number, line, text in chosen:
            names = self.choose(path, line)
            noticed, by = self.run_mutant(path, number, names)
            count += noticed
            self.write('noticed' if noticed else 'missed ',
                       f'{path.parent.name}/{path.name}:{line}:',
                       ' '.join(text.split()), f'[{len(names)}]', by)
        self.write(f'{part}: {count} of {len(chosen)} noticed '
                   f'({len(mutants)} possible, seed {self.options.seed})')

    def write(self, *words):
        print(*words, file=self.output, flush=True)

    def choose(self, path, line):
        """
        Choose near and quick tests that run a line.
        """
        tree = ast.parse(path.read_text())
        users = _users(path, tree, line, self.lines.lines, self.items)
        cost = {name: self.lines.tests[name] + (
            0 if f'/{path.parent.name}/' in name else 1)
            for name in users if name in self.items
            and self.lines.tests.get(name) is not None}
        total, chosen = 0.0, []
        for name in sorted(cost, key=lambda name: (cost[name], name)):
            total += self.lines.tests[name]
            if total > self.options.seconds and chosen:
                break
            chosen.append(name)
        return chosen

    def run_mutant(self, path, number, names):
        """
        Run tests with a change, and tell which failed.
        """
        usual = sum(self.lines.tests[name] for name in names)
        seconds = int(_PATIENCE + _TIMES * usual)

        def run():
            page = os.sysconf('SC_PAGE_SIZE')
            size = int(Path('/proc/self/statm').read_text().split()[0]) * page
            resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            try:
                apply_mutant(path, number)
            except Exception as error:
                # (the module could not be imported)
                self.failed = True
                os.write(self.pipe, repr(error).encode())
            else:
                self.run_tests(names)

        by = self.fork(run)
        return bool(by), by

    def fork(self, function, *, limit=_WAIT):
        """
        Call a function in a process of its own.
        """
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 3
            try:
                os.setsid()
                self.pipe = write
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                os.dup2(null, 2)
                function()
                code = int(self.failed)
            except BaseException:
                os.write(write, traceback.format_exc(-3).encode())
            finally:
                os._exit(code)
        os.close(write)
        end = time.monotonic() + limit
        done = 0
        while not done and time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        by = 'waits'
        if done:
            by = os.read(read, 1000).decode()
            code = os.waitstatus_to_exitcode(status)
            if code < 0:
                by = f'endless (signal {-code})'
            elif code > 1:
                raise RuntimeError(by)
        else:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(read)
        return by

    def run_tests(self, names, *, to_end=False):
        for name, after in zip(names, [*names[1:], None], strict=False):
            item = self.items[name]
            item.ihook.pytest_runtest_protocol(
                item=item, nextitem=self.items.get(after))
            if self.failed and not to_end:
                break


def make_table(out):
    """
    Write the table of the stored counts.

    Parameters
    ----------
    out : dict
        The stored result: ``samples``, each with ``seed`` and ``parts``; of
        each part the numbers of changes that are ``possible``, were
        ``tried`` and ``noticed``, and those of no consequence
        (``no_change``) with the reason.

    Returns
    -------
    text : str
        The table in reStructuredText.
    """
    lines = ['.. list-table::', '    :header-rows: 1', '']
    rows = [['Folder', 'Changes that are possible', *(
        f'Noticed, {sample["name"]}' for sample in out['samples'])]]
    parts = [sample['parts'] for sample in out['samples']]
    for name in dict.fromkeys(name for part in parts for name in part):
        counts = [part[name] for part in parts if name in part]
        rows.append([f'``{name}``', str(counts[-1]['possible']), *(
            _share([part[name]]) if name in part else '-' for part in parts)])
    rows.append(['Together', '', *(_share(part.values()) for part in parts)])
    for row in rows:
        lines += [f'    {"*" if k == 0 else " "} - {cell}'.rstrip()
                  for k, cell in enumerate(row)]
    return '\n'.join(lines) + '\n'


def _share(counts):
    """
    Show how many are noticed of those that can change a result.
    """
    noticed = sum(count['noticed'] for count in counts)
    of = sum(count['tried'] - len(count['no_change']) for count in counts)
    share = noticed / of
    error = np.sqrt(max(share * (1 - share), 0.25 / of) / of)
    return f'{noticed} of {of} ({100 * share:.0f} ± {100 * error:.0f}%)'


def main(arguments=None):
    """
    Try random changes and write whether a test fails.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('part', nargs='*', help='folders or modules of the '
                        'package, for example image or fitting/flags.py, or '
                        'several modules with commas between them')
    parser.add_argument('--lines', default='mutants.lines', help='file of '
                        'the lines that each test runs, which is made')
    parser.add_argument('--tests', nargs='+', default=['tests'],
                        help='folders of tests')
    parser.add_argument('--output', default='mutants.txt')
    parser.add_argument('--number', type=int, default=30,
                        help='changes in each part')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=20,
                        help='longest time of the tests of a change')
    parser.add_argument('--only', default='', help='regular expression for '
                        'name:line: change')
    parser.add_argument('--write', type=Path, help='write the table of the '
                        'stored counts, and do nothing else')
    options = parser.parse_args(arguments)
    if options.write:
        out = json.loads(Path(__file__).with_suffix('.json').read_text())
        options.write.write_text(make_table(out), encoding='utf-8')
        return
    os.chdir(ROOT)
    pytest.main([*options.tests, '-q', '-s', '-o', 'addopts=', '-p',
                 'no:cacheprovider', '-p', 'no:cov', f'--rootdir={ROOT}'],
                plugins=[_Mutation(options)])


if __name__ == '__main__':
    main()
