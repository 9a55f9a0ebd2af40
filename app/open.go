package app

import (
	"context"
	"net/netip"

	"kith/collect"
	"kith/console"
	"kith/event"
	"kith/govern"
	"kith/internal/duck"
	"kith/internal/sqlite"
	"kith/journal"
	"kith/query"
	"kith/serve"
	"kith/source"
)

func (a *App) openFolder(context.Context) (err error) {
	if a.folder, err = OpenFolder(a.config.Data, a.config.Role); err != nil {
		return err
	}
	a.closes(a.folder.Close)
	return nil
}

// openControl opens what people define: sources, users, tokens.
func (a *App) openControl(ctx context.Context) (err error) {
	if a.control, err = sqlite.Open(a.folder.Path("control.db")); err != nil {
		return err
	}
	a.closes(a.control.Close)
	if a.sources, err = source.Open(ctx, a.control, source.Options{Log: a.log}); err != nil {
		return err
	}
	a.closes(a.sources.Close)
	if a.policy, err = govern.Open(ctx, govern.Options{DB: a.control, Keys: a.sources, Log: a.log}); err != nil {
		return err
	}
	a.closes(a.policy.Close)
	if a.config.Admin.Email != "" {
		if _, err := a.policy.EnsureAdmin(ctx, a.config.Admin.Email, a.config.Admin.Password); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openJournal(context.Context) (err error) {
	c := a.config.Journal
	a.journal, err = journal.OpenFile(a.folder.Path("journal"), journal.FileOptions{
		SegmentBytes: int64(c.SegmentSize), SegmentAge: c.SegmentAge, MinFree: int64(c.MinFree), ClockBehind: c.ClockBehind, Log: a.log})
	if err != nil {
		return err
	}
	a.closes(a.journal.Close)
	a.writer = journal.NewWriter(a.journal, partition, journal.WriterOptions{Linger: c.Linger})
	return nil
}

// openStores opens what the journal's events become, at the lake's checkpoint. A disk that fails here does not shut the
// doors of a server: events are taken, and process opens the stores when it can.
func (a *App) openStores(ctx context.Context) error {
	a.closes(a.kept.close)
	fresh, err := a.storesIn(ctx, a.folder.Path)
	if err != nil && (a.config.Role == "local" || !sqlite.IsDisk(err)) {
		return err
	}
	if err != nil {
		a.kept.trouble(err)
		a.log.Error("the lake does not open; events are taken, and it is tried again", "err", err)
		return nil
	}
	return a.kept.put(fresh)
}

// openDoors makes what requests come in by.
func (a *App) openDoors(context.Context) error {
	proxies, err := networks(a.config.HTTP.Proxies)
	if err != nil {
		return err
	}
	a.collector = collect.New(collect.Options{Journal: a.writer, Gate: a.policy, Sources: a.sources, TrustedProxies: proxies,
		Limits: collect.Limits{Body: int(a.config.HTTP.MaxBody)}, Log: a.log})
	engine, err := a.openQueries()
	if err != nil {
		return err
	}
	mounts := []serve.Mount{{Pattern: "/", Handler: console.Handler()}}
	for _, door := range a.collector.Doors() {
		mounts = append(mounts, serve.Mount{Pattern: door.Path, Handler: door, AnyHost: true})
	}
	a.metrics.MustRegister(newMetrics(a))
	api := serve.New(serve.Options{Policy: a.policy, Sources: a.sources, SQL: sqlDoor{engine}, State: state{a}, Maintenance: maintenance{a}, Ready: a.reasons, Metrics: a.metrics,
		Mounts: mounts, Hosts: a.config.HTTP.Hosts, Proxies: proxies, TLS: a.config.HTTP.TLSCert != "", Version: a.version, Log: a.log})
	a.handler = api.Handler()
	return nil
}

func (a *App) openQueries() (_ *query.Engine, err error) {
	if a.pool, err = duck.NewPool(a.duckOptions("query", a.folder.Path("lake"))); err != nil {
		return nil, err
	}
	a.closes(a.pool.Close)
	return query.New(query.Options{Pool: a.pool, Source: tables{a.journal, a.writer.Durable, a.kept.get, a.config.Role == "collector"}, Limits: query.Limits{Time: a.config.Query.Timeout}}), nil
}

// duckOptions are those of a pool whose children read a lake and the journal.
func (a *App) duckOptions(name, lake string) duck.Options {
	c := a.config.Query
	return duck.Options{Command: []string{a.program, "duck-worker"}, Folder: a.folder.Path("tmp", name), Read: []string{lake, a.folder.Path("journal")},
		Children: c.Workers, Idle: c.Idle, Memory: int64(c.Memory), Spill: int64(c.Spill), Threads: c.Threads, Log: a.log}
}

func networks(texts []string) (all []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, event.Errorf(event.Invalid, "is no network").At("http.proxies", text).WithHint("such as 10.0.0.0/8")
		}
		all = append(all, network)
	}
	return all, nil
}
