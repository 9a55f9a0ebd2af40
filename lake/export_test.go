package lake

import "errors"

// ErrCrash is what a test's process dies of.
var ErrCrash = errors.New("the process died")

// FailAt returns o with a function that is called at each step of a flush or a commit. When it returns an error, the
// lake stops there and touches nothing any more, as if the process had died.
func (o Options) FailAt(fail func(step string) error) Options {
	o.fail = fail
	return o
}

// Crash stops the lake as a dead process does: what is not on disk is lost, nothing is tidied up.
func (l *Lake) Crash() {
	l.poison(ErrCrash)
	l.Close()
}

// SplitByDay is splitByDay.
func SplitByDay(sources []string, dir string, batch int) (days []int64, paths []string, err error) {
	files, err := splitByDay(sources, dir, batch)
	for _, f := range files {
		days, paths = append(days, f.day), append(paths, f.Path)
	}
	return days, paths, err
}
