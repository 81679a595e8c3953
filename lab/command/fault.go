package command

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/controlplane"
	"github.com/shodo-ecosystem/fukkyu/lab/faults"
	"github.com/shodo-ecosystem/fukkyu/lab/temporal"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// services of a control plane by the name they are broken by.
var services = map[string]string{"api-server": controlplane.APIServer, "etcd": controlplane.Etcd}

func newBreak(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "break",
		Short: "Break something: machines, a zone, the network, the control plane, Temporal, services, a dependency, a disk",
		Long: "Break something. NODE is a node's name, or the word primary for the node under the PostgreSQL primary.\n" +
			"SERVICE is the name of a Deployment, such as shodo-frontend; a version that is rolled out broken is cured by kubectl rollout undo.\n" +
			"What was broken is mended with: lab mend NODE, lab mend ZONE, lab mend services, lab mend api-server, lab mend all",
		Example: "  lab break power-off primary\n  lab break freeze node-a1\n  lab break cut node-c1\n  lab break partition node-a1 node-c1\n  lab break zone ap-northeast-1c\n" +
			"  lab break api-server\n  lab break crash shodo-frontend",
		Args: cobra.ArbitraryArgs, RunE: choose("fault"),
	}
	node := func(name, short string, act func(*cobra.Command, faults.Lab, topology.Node) error) *cobra.Command {
		return &cobra.Command{Use: name + " NODE", Short: short, Example: "  lab break " + name + " primary\n  lab break " + name + " node-a1", Args: exactly(1, "NODE"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return s.onNodes(cmd, args, func(lab faults.Lab, nodes []topology.Node) error { return act(cmd, lab, nodes[0]) })
			}}
	}
	command.AddCommand(
		node("power-off", "Take a node's power away, at once; returns when it is proven off", powerOff),
		node("freeze", "Stop a node like a paused virtual machine: no process runs, nothing answers", freeze),
		node("cut", "Take a node off the network; everything in it runs on", cut),
		newPartition(s),
		newBreakZone(s))
	command.AddCommand(newServiceFaults(s)...)
	for name, service := range services {
		command.AddCommand(newStop(s, name, service))
	}
	command.AddCommand(newKillTemporal(s), newBreakDependency(s), newBreakDisk(s), newBreakAppendOnly(s))
	return command
}

func powerOff(cmd *cobra.Command, lab faults.Lab, node topology.Node) error {
	begun := time.Now()
	if err := lab.PowerOff(cmd.Context(), node); err != nil {
		return err
	}
	return done(cmd, "%s is off (proven after %d ms)", node.Name, time.Since(begun).Milliseconds())
}

func freeze(cmd *cobra.Command, lab faults.Lab, node topology.Node) error {
	if err := lab.Freeze(node); err != nil {
		return err
	}
	return done(cmd, "%s is frozen and off the network", node.Name)
}

func cut(cmd *cobra.Command, lab faults.Lab, node topology.Node) error {
	if err := lab.Cut(node); err != nil {
		return err
	}
	return done(cmd, "%s is off the network; it runs on", node.Name)
}

func newPartition(s *session) *cobra.Command {
	return &cobra.Command{Use: "partition NODE NODE", Short: "Make two nodes deaf to each other; everybody else hears both",
		Example: "  lab break partition node-a1 node-c1", Args: exactly(2, "NODE NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.onNodes(cmd, args, func(lab faults.Lab, nodes []topology.Node) error {
				if err := lab.Partition(cmd.Context(), nodes[0], nodes[1]); err != nil {
					return err
				}
				return done(cmd, "%s and %s do not hear each other", nodes[0].Name, nodes[1].Name)
			})
		}}
}

// newStop breaks one service of the control plane: of the named region, or of the only one.
func newStop(s *session, name, service string) *cobra.Command {
	effect := map[string]string{"api-server": "nothing answers", "etcd": "the API server runs on and answers with errors"}[name]
	var slow time.Duration
	command := &cobra.Command{Use: name + " [REGION]", Short: "Stop " + service + " alone: " + effect, Example: "  lab break " + name, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, region, err := s.region(args)
			if err != nil {
				return err
			}
			if slow > 0 {
				return slowDown(cmd, lab, region, service, slow)
			}
			if err := lab.Stop(region, service); err != nil {
				return err
			}
			return done(cmd, "%s of %s is stopped", service, region.Name)
		}}
	if service == controlplane.APIServer {
		command.Flags().DurationVar(&slow, "slow", 0, "leave it running and make it slow: it stands still for this long, works for a moment, and stands still again")
		command.Example += "\n  lab break " + name + " --slow 2s"
	}
	return command
}

func slowDown(cmd *cobra.Command, lab faults.Lab, region topology.Region, service string, still time.Duration) error {
	if err := lab.Slow(region, service, still); err != nil {
		return err
	}
	return done(cmd, "%s of %s stands still for %s at a time", service, region.Name, still)
}

// newKillTemporal ends Temporal as a crash would; its histories stay in their file.
func newKillTemporal(s *session) *cobra.Command {
	return &cobra.Command{Use: "temporal", Short: "Kill Temporal; its histories stay", Example: "  lab break temporal", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, state, err := topology.Load(s.folder)
			if err != nil {
				return err
			}
			if err := (temporal.Server{Folder: s.folder, State: state}).Kill(cmd.Context()); err != nil {
				return err
			}
			return done(cmd, "Temporal is killed")
		}}
}

// what `lab mend` mends beside nodes and zones.
const mendable = "NODE, ZONE, services, api-server, etcd, temporal, dependency or all"

func newMend(s *session) *cobra.Command {
	return &cobra.Command{Use: "mend NODE|ZONE|services|api-server|etcd|temporal|dependency|all", Short: "Undo every fault of a node, of a zone, of services, of the control plane, or of the lab",
		Long: "Undo faults: a node is put back on the network, thawed and switched on, whatever was wrong with it; a service is put back to the\n" +
			"version that was applied, and its processes go on.",
		Example: "  lab mend node-a1\n  lab mend ap-northeast-1c\n  lab mend services\n  lab mend api-server\n  lab mend all", Args: exactly(1, mendable),
		RunE: func(cmd *cobra.Command, args []string) error {
			if service, known := services[args[0]]; known {
				return s.resume(cmd, service)
			}
			switch args[0] {
			case "temporal":
				return s.temporalUp(cmd.Context(), cmd.ErrOrStderr())
			case "dependency":
				return s.mendDependency(cmd)
			case "services":
				if _, err := s.livingEstates(); err != nil {
					return err
				}
				if err := s.mendServices(cmd.Context()); err != nil {
					return err
				}
				return done(cmd, "services are as they were applied; new pods need some seconds until they are Ready")
			case "all":
				return s.mendAll(cmd)
			default:
				return s.mendNodes(cmd, args[0])
			}
		}}
}

// resume lets a service of the control plane come back.
func (s *session) resume(cmd *cobra.Command, service string) error {
	lab, region, err := s.region(nil)
	if err != nil {
		return err
	}
	if err := lab.Resume(region, service); err != nil {
		return err
	}
	return done(cmd, "%s of %s comes back", service, region.Name)
}

func (s *session) mendAll(cmd *cobra.Command) error {
	lab, err := faults.Load(s.folder)
	if err != nil {
		return err
	}
	if err := needRoot(); err != nil {
		return err
	}
	if err := lab.MendAll(cmd.Context()); err != nil {
		return err
	}
	if err := s.mendServices(cmd.Context()); err != nil {
		return err
	}
	return done(cmd, "every fault is undone; nodes and new pods need some seconds until they are Ready")
}

// mendNodes undoes the faults of the one node of that name, or of all nodes of the zone of that name.
func (s *session) mendNodes(cmd *cobra.Command, name string) error {
	lab, err := faults.Load(s.folder)
	if err != nil {
		return err
	}
	nodes := lab.InZone(name)
	if len(nodes) == 0 {
		node, err := lab.Node(cmd.Context(), name)
		if err != nil {
			return err
		}
		nodes = []topology.Node{node}
	}
	if err := needRoot(); err != nil {
		return err
	}
	for _, node := range nodes {
		if err := lab.Mend(cmd.Context(), node); err != nil {
			return err
		}
	}
	return done(cmd, "%s is mended; it needs some seconds until it is Ready", name)
}

// onNodes finds the nodes of the names and acts on them.
func (s *session) onNodes(cmd *cobra.Command, names []string, act func(faults.Lab, []topology.Node) error) error {
	lab, err := faults.Load(s.folder)
	if err != nil {
		return err
	}
	var nodes []topology.Node
	for _, name := range names {
		node, err := lab.Node(cmd.Context(), name)
		if err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	if err := needRoot(); err != nil {
		return err
	}
	return act(lab, nodes)
}

// region finds the region named, or the lab's first.
func (s *session) region(args []string) (faults.Lab, topology.Region, error) {
	lab, err := faults.Load(s.folder)
	if err != nil {
		return lab, topology.Region{}, err
	}
	if len(args) == 0 {
		return lab, lab.Regions[0], nil
	}
	region, err := lab.Region(args[0])
	return lab, region, err
}

// needRoot refuses what would fail halfway: the lab's machines belong to root.
func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab's machines belong to root; run the command with sudo")
	}
	return nil
}

func done(cmd *cobra.Command, format string, values ...any) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", values...)
	return err
}

// exactly refuses a wrong number of arguments by saying what was wanted.
func exactly(count int, wanted string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != count {
			return wrongUsage{fmt.Errorf("%s wants %s, got %d arguments\n\nExamples:\n%s", cmd.CommandPath(), wanted, len(args), cmd.Example)}
		}
		return nil
	}
}
