package diagnose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	corev1 "k8s.io/api/core/v1"
)

// How much of the logs is read and kept. A pod that screams must not hide the others, nor fill the disk.
const (
	mostPodsLogged = 4         // of one service: its pods run the same program
	mostRead       = 512 << 10 // bytes of one pod
	mostTail       = 2000      // lines of one pod
	mostKept       = 200       // lines of one pod that speak of errors
	mostLine       = 1000      // bytes of one line
	mostAllLogs    = 16 << 20  // bytes of all pods
	logsAtOnce     = 24        // requests: each is one to a kubelet
)

// speaksOfError finds the lines that are worth reading when something is wrong.
var (
	speaksOfError = regexp.MustCompile(`(?i)\b(error|err|fail(ed|ure|s)?|fatal|panic(ked)?|crit(ical)?|emerg|alert|exception|traceback|refused|timed? ?out|denied|unreachable|unavailable|killed|corrupt(ed|ion)?)\b|no space left`)
	noSpaceLeft   = regexp.MustCompile(`(?i)no space left|disk full|could not extend file|could not write init file`)
)

// podLog is what a pod said of errors, masked.
type podLog struct {
	service, pod string
	lines        []string
}

// logSource is one container whose log is read.
type logSource struct {
	service, pod, node, container string
	previous                      bool
}

// logAnswer is what became of reading one log.
type logAnswer struct {
	source logSource
	said   errorLines
	err    error
	took   time.Duration
}

// askLogs reads what the pods of everything in the plan said of errors in the last half hour. Logs are read out by kubelets: a node of
// which none answers hangs, and is noted as that. For a glance that is all: it asks for one line of some pods, and keeps none.
func (l *look) askLogs(ctx context.Context, pods []corev1.Pod) {
	sources := l.logSources(pods)
	if l.glance {
		sources = someOfEachNode(sources)
	}
	answers := make([]logAnswer, len(sources))
	slots := make(chan struct{}, logsAtOnce)
	var tasks []func()
	for i, source := range sources {
		tasks = append(tasks, func() {
			select {
			case slots <- struct{}{}:
				answer := l.askLog(ctx, source)
				<-slots
				if answer.err == nil || ctx.Err() == nil { // else it was not given its time
					answers[i] = answer
				}
			case <-ctx.Done():
			}
		})
	}
	together(tasks...)
	mute := muteNodes(answers)
	for i := range l.Nodes {
		l.Nodes[i].Mute = mute[l.Nodes[i].Name]
	}
	if !l.glance {
		l.keepLogs(answers, mute)
	}
}

// glancedOfNode is how many logs a glance asks a kubelet for: one that is silent may be the pod's own fault.
const glancedOfNode = 2

func someOfEachNode(sources []logSource) []logSource {
	taken := map[string]int{}
	return slices.DeleteFunc(sources, func(source logSource) bool {
		taken[source.node]++
		return taken[source.node] > glancedOfNode
	})
}

// muteNodes are those whose kubelet answered none of the questions for a log. Where no kubelet of several answers, it is the API server
// that does not reach them, and says nothing of the machines.
func muteNodes(answers []logAnswer) map[string]bool {
	mute, spoke := map[string]bool{}, map[string]bool{}
	for _, answer := range answers {
		switch {
		case answer.source.pod == "": // it was not asked for any more
		case answer.err != nil && (isSilence(answer.err) || strings.Contains(answer.err.Error(), "dial tcp")):
			mute[answer.source.node] = true
		default:
			spoke[answer.source.node] = true
		}
	}
	if len(mute) > 1 && len(spoke) == 0 {
		return nil
	}
	maps.DeleteFunc(mute, func(node string, _ bool) bool { return spoke[node] })
	return mute
}

// keepLogs keeps what was said, within bounds, and notes who said nothing.
func (l *look) keepLogs(answers []logAnswer, mute map[string]bool) {
	size, late, silent := 0, 0, 0
	for _, answer := range answers {
		source, said := answer.source, answer.said
		switch {
		case source.pod == "":
			late++
			continue
		case mute[source.node]:
			silent++
			continue
		case answer.err != nil:
			l.note(unanswered(fmt.Sprintf("read the log of pod %s on node %s", source.pod, source.node), answer.err, answer.took))
			continue
		}
		for _, line := range said.lines {
			size += len(line)
		}
		if size > mostAllLogs {
			l.leave(fmt.Sprintf("the logs from that of %s on: there is more than %d MiB", source.pod, mostAllLogs>>20))
			return
		}
		log := diagnosis.Log{Service: source.service, Pod: source.pod, Errors: said.errors, DiskFull: said.diskFull, Cut: said.cut}
		if len(said.lines) > 0 {
			log.Last = brief(said.lines[len(said.lines)-1])
		}
		l.Logs, l.logs = append(l.Logs, log), append(l.logs, podLog{service: source.service, pod: source.pod, lines: said.lines})
	}
	if silent > 0 {
		l.leave(fmt.Sprintf("%d logs, for which a kubelet did not answer", silent))
	}
	if late > 0 {
		l.leave(fmt.Sprintf("%d logs, for which no time was left", late))
	}
}

// logSources are the containers to be read. Those on a lost node have nobody who would read them out.
func (l *look) logSources(pods []corev1.Pod) []logSource {
	services := map[string]logSource{} // by workload
	for _, service := range l.plan.Services {
		_, name := service.Workload()
		services[name] = logSource{service: service.Name}
	}
	for _, database := range l.plan.Databases {
		for _, set := range append([]string{database.Primary}, database.Replicas...) {
			services[set] = logSource{service: database.Name, container: database.Container}
		}
	}
	for _, redis := range l.plan.Redis {
		for _, set := range append([]string{redis.Master}, redis.Replicas...) {
			services[set] = logSource{service: redis.Name, container: redis.Container}
		}
	}
	var sources []logSource
	taken, lost := map[string]int{}, 0
	for i := range pods {
		pod, workload := &pods[i], workloadOf(&pods[i])
		source, planned := services[workload]
		switch {
		case !planned || pod.Spec.NodeName == "" || len(pod.Spec.Containers) == 0 || taken[workload] >= mostPodsLogged:
			continue
		case l.lostNode(pod.Spec.NodeName):
			lost++
			continue
		}
		taken[workload]++
		source.pod, source.node = pod.Name, pod.Spec.NodeName
		if source.container == "" {
			source.container = pod.Spec.Containers[0].Name
		}
		if started, crashed := containerHistory(pod, source.container); crashed {
			source.previous = true // what it said before it died explains more than what it says now
		} else if !started {
			continue // it has not said anything yet
		}
		sources = append(sources, source)
	}
	if lost > 0 {
		l.leave(fmt.Sprintf("the logs of %d pods on lost nodes", lost))
	}
	return sources
}

// containerHistory says whether a container has started, and whether it is down after having crashed.
func containerHistory(pod *corev1.Pod, container string) (started, crashed bool) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container {
			running := status.State.Running != nil
			return running || status.State.Terminated != nil, !running && status.LastTerminationState.Terminated != nil
		}
	}
	return false, false
}

func (l *look) askLog(ctx context.Context, source logSource) logAnswer {
	options := &corev1.PodLogOptions{
		Container: source.container, Previous: source.previous, Timestamps: true,
		SinceSeconds: new(int64(recently.Seconds())), TailLines: new(int64(mostTail)), LimitBytes: new(int64(mostRead)),
	}
	if l.glance {
		options.TailLines = new(int64(1))
	}
	began := time.Now()
	said, err := bounded(ctx, probeTimeout, func(ctx context.Context) (errorLines, error) {
		stream, err := l.client.CoreV1().Pods(l.plan.Namespace).GetLogs(source.pod, options).Stream(ctx)
		if err != nil {
			return errorLines{}, err
		}
		defer stream.Close()
		return readErrors(io.LimitReader(stream, mostRead))
	})
	return logAnswer{source: source, said: said, err: err, took: time.Since(began)}
}

// errorLines are the lines of a log that speak of errors.
type errorLines struct {
	errors, diskFull int
	lines            []string // the last of them
	cut              bool
}

// readErrors reads a log to its end, and keeps the last lines that speak of errors.
func readErrors(stream io.Reader) (errorLines, error) {
	var said errorLines
	lines := bufio.NewReaderSize(stream, mostLine)
	for {
		line, rest, err := lines.ReadLine() // a longer line is cut; its rest comes as lines of its own, which are skipped
		if errors.Is(err, io.EOF) {
			for i := range said.lines { // only those that are kept: looking for secrets takes its time
				said.lines[i] = mask(said.lines[i])
			}
			return said, nil
		}
		if err != nil {
			return said, err
		}
		text := string(line)
		for rest && err == nil {
			_, rest, err = lines.ReadLine()
		}
		if !speaksOfError.MatchString(text) {
			continue
		}
		said.errors++
		if noSpaceLeft.MatchString(text) {
			said.diskFull++
		}
		if len(said.lines) == mostKept {
			said.lines, said.cut = said.lines[1:], true
		}
		said.lines = append(said.lines, strings.ToValidUTF8(text, "�"))
	}
}
