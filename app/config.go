package app

import (
	"os"
	"path/filepath"
	"time"

	"kith/internal/settings"
)

// Config is all that a process is told when it starts. Each value is a flag, an environment variable KITH_… and a key
// in kith.yaml; `kith config print` says which of them it came from.
type Config struct {
	Data string `name:"data" default:"data" help:"The folder that holds everything."`
	Role string `name:"role" default:"single" enum:"single,collector,local" help:"Which parts this process runs: single all of them, collector only takes events in, local is for commands."`

	HTTP    HTTPConfig    `name:"http"`
	Journal JournalConfig `name:"journal"`
	Prepare PrepareConfig `name:"prepare"`
	Lake    LakeConfig    `name:"lake"`
	Query   QueryConfig   `name:"query"`
	Admin   AdminConfig   `name:"admin"`
	Log     LogConfig     `name:"log"`
}

// HTTPConfig is the one port that carries everything.
type HTTPConfig struct {
	Listen   string        `name:"listen" default:"127.0.0.1:8080" help:"Where HTTP is served; port 0 takes a free one."`
	TLSCert  string        `name:"tls_cert" help:"PEM file of the certificate; with tls_key HTTP is served over TLS."`
	TLSKey   string        `name:"tls_key" help:"PEM file of the certificate's key."`
	Insecure bool          `name:"insecure" default:"false" help:"Allow an address beyond this machine without TLS, for instance behind a proxy that has it."`
	Hosts    []string      `name:"hosts" help:"Names that browsers reach this server by, beside localhost and the addresses it listens on."`
	Proxies  []string      `name:"proxies" help:"Networks (CIDR) of proxies whose X-Forwarded-For is believed."`
	MaxBody  settings.Size `name:"max_body" default:"16MB" help:"Largest body of a request, compressed."`
}

// JournalConfig is the durable log's.
type JournalConfig struct {
	SegmentSize settings.Size `name:"segment_size" default:"64MB" help:"A segment of this size is sealed."`
	SegmentAge  time.Duration `name:"segment_age" default:"1h" help:"A segment of this age is sealed."`
	MinFree     settings.Size `name:"min_free" default:"512MB" help:"Below this much free disk, events are refused with 503."`
	ClockBehind time.Duration `name:"clock_behind" default:"1h" help:"How far the clock may stand before the last event received for a start."`
	Linger      time.Duration `name:"linger" default:"0s" help:"How long a commit waits for company; for disks that are slow to sync."`
}

// PrepareConfig is the rules' that turn lines into events.
type PrepareConfig struct {
	Earliest string `name:"earliest" default:"1990-01-01" help:"Events that say they are older go to quarantine."`
}

// LakeConfig is the pace of flushes and commits.
type LakeConfig struct {
	FlushInterval  time.Duration `name:"flush_interval" default:"1s" help:"Between flushes while somebody reads."`
	CommitInterval time.Duration `name:"commit_interval" default:"1m" help:"Between Iceberg commits, once commit_rows have come."`
	CommitRows     int           `name:"commit_rows" default:"100000" help:"Rows that are worth a commit."`
	CommitQuiet    time.Duration `name:"commit_quiet" default:"10m" help:"Between Iceberg commits of fewer rows."`
	KeepSnapshots  time.Duration `name:"keep_snapshots" default:"24h" help:"How long AS OF SNAPSHOT reaches back at least."`
}

// QueryConfig limits what one statement may use.
type QueryConfig struct {
	Memory  settings.Size `name:"memory" default:"1GB" help:"Memory of one query."`
	Spill   settings.Size `name:"spill" default:"4GB" help:"Disk that one query may use for what does not fit into memory."`
	Threads int           `name:"threads" default:"2" help:"Threads of one query."`
	Timeout time.Duration `name:"timeout" default:"60s" help:"The longest that a query runs."`
	Workers int           `name:"workers" default:"2" help:"Queries that run at once; others wait."`
	Idle    time.Duration `name:"idle" default:"30s" help:"A query process without work ends after this."`
}

// AdminConfig makes the first administrator unattended.
type AdminConfig struct {
	Email    string `name:"email" help:"The first administrator's e-mail, for a set-up without the link."`
	Password string `name:"password" secret:"true" help:"The first administrator's password."`
}

// LogConfig is the server log's.
type LogConfig struct {
	Level  string `name:"level" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	Format string `name:"format" default:"text" enum:"text,json" help:"text or json."`
}

// LoadConfig reads the configuration: defaults, then the file (kith.yaml in the data folder if none is named), then the
// environment, then flags by setting name. It returns every setting with where its value came from.
func LoadConfig(file string, flags map[string]string) (Config, []settings.Setting, error) {
	in := settings.Inputs{File: file, Environ: os.Environ(), Also: []string{"KITH_TOKEN", "KITH_SERVER", "KITH_CONFIG", "KITH_USER_PASSWORD"}, Flags: flags}
	if file == "" {
		var c Config
		_, _ = settings.Load(&c, in) // only for the folder: what is wrong is told below, together with what is in the file
		in.File, in.Optional = filepath.Join(c.Data, "kith.yaml"), true
	}
	var c Config
	all, err := settings.Load(&c, in)
	return c, all, err
}
