// Package power is the power switch of the lab's machines as a Redfish service, the way a data centre's management
// controllers offer it.
//
// It is the witness of a fence, so it says "Off" only of a machine that is proven off.
package power

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// User is the one account of the service; its password is in the data folder.
const User = "operator"

// headerPatience is how long a client may take to ask; stopPatience how long answers may take when the service ends.
const (
	headerPatience = 5 * time.Second
	stopPatience   = 2 * time.Second
)

// EnsurePassword makes the password of the service unless there is one.
func EnsurePassword(folder topology.Folder) error {
	if _, err := os.Stat(folder.PowerPassword()); err == nil {
		return nil
	}
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails: the runtime ends the process before that
	return topology.WriteFile(folder.PowerPassword(), []byte(hex.EncodeToString(secret[:])), 0o600)
}

// Service answers Redfish requests.
type Service struct {
	lab      topology.Lab
	folder   topology.Folder
	password string
}

// New reads the password of the service.
func New(folder topology.Folder, lab topology.Lab) (Service, error) {
	password, err := os.ReadFile(folder.PowerPassword())
	if err != nil {
		return Service{}, fmt.Errorf("read the password of the power switch: %w", err)
	}
	return Service{lab: lab, folder: folder, password: string(password)}, nil
}

// Serve serves at the host's address in the lab's network until the context ends.
func (s Service) Serve(ctx context.Context) error {
	address := fmt.Sprintf("%s:%d", s.lab.Host(), topology.PowerPort)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve the power switch at %s: %w", address, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerPatience}
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		_ = server.Shutdown(ending)
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return fmt.Errorf("serve the power switch at %s: %w", address, err)
	}
	return nil
}

// Handler routes the requests. The root of the service may be read by anybody, as Redfish wants it.
func (s Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /redfish/v1/{$}", s.root)
	mux.HandleFunc("GET /redfish/v1/Systems", s.authorized(s.systems))
	mux.HandleFunc("GET /redfish/v1/Systems/{system}", s.authorized(s.system))
	mux.HandleFunc("POST /redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset", s.authorized(s.reset))
	return mux
}

func (s Service) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != User || subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="power switch"`)
			refuse(w, http.StatusUnauthorized, "InsufficientPrivilege", "wrong user or password")
			return
		}
		next(w, r)
	}
}

func (s Service) root(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"@odata.id": "/redfish/v1/", "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Id": "RootService",
		"Name": "Power switch of the lab", "RedfishVersion": "1.6.0", "Systems": link("/redfish/v1/Systems")})
}

func (s Service) systems(w http.ResponseWriter, _ *http.Request) {
	var members []map[string]any
	for _, node := range s.lab.Nodes() {
		members = append(members, link(systemPath(node.Name)))
	}
	answer(w, http.StatusOK, map[string]any{"@odata.id": "/redfish/v1/Systems", "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
		"Name": "Machines", "Members@odata.count": len(members), "Members": members})
}

func (s Service) system(w http.ResponseWriter, r *http.Request) {
	node, err := s.lab.Node(r.PathValue("system"))
	if err != nil {
		refuse(w, http.StatusNotFound, "ResourceMissingAtURI", err.Error())
		return
	}
	state := "On"
	if machine.OfNode(s.lab, s.folder, node).Off() == nil {
		state = "Off"
	}
	answer(w, http.StatusOK, map[string]any{"@odata.id": systemPath(node.Name), "@odata.type": "#ComputerSystem.v1_16_0.ComputerSystem",
		"Id": node.Name, "Name": node.Name, "HostName": node.Name, "PowerState": state,
		"Actions": map[string]any{"#ComputerSystem.Reset": map[string]any{"target": systemPath(node.Name) + "/Actions/ComputerSystem.Reset",
			"ResetType@Redfish.AllowableValues": []string{"On", "ForceOff"}}}})
}

// reset switches a machine on or off and answers when it is done. Asked for what is already so, it does nothing.
func (s Service) reset(w http.ResponseWriter, r *http.Request) {
	node, err := s.lab.Node(r.PathValue("system"))
	if err != nil {
		refuse(w, http.StatusNotFound, "ResourceMissingAtURI", err.Error())
		return
	}
	var body struct{ ResetType string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedJSON", `want {"ResetType": "ForceOff"} or {"ResetType": "On"}: `+err.Error())
		return
	}
	// A client that hangs up must not leave a machine half switched.
	ctx := context.WithoutCancel(r.Context())
	self := machine.OfNode(s.lab, s.folder, node)
	switch body.ResetType {
	case "ForceOff":
		err = self.PowerOff(ctx)
	case "On":
		err = self.Start(ctx)
	default:
		refuse(w, http.StatusBadRequest, "ActionParameterValueNotInList", fmt.Sprintf("ResetType %q: want ForceOff or On", body.ResetType))
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func systemPath(name string) string { return "/redfish/v1/Systems/" + name }

func link(path string) map[string]any { return map[string]any{"@odata.id": path} }

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": "Base.1.8." + code, "message": message}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("OData-Version", "4.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
